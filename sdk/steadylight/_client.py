"""Client: each verb waits for its answer, but what records, which is a plain call here as in AsyncClient."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from ._answers import Answer
from ._contact import Customer, IdentifierLike, Identifiers, Recording, identifiers_of
from ._options import Options
from ._plain import Stats
from ._process import LOADING
from ._protocol import Flush, Request, Sleep, delivery
from ._recorder import OnRefused
from ._shared import Exchange, Shared, T
from ._thread import ThreadDelivery
from ._transport import BlockingTransport

if TYPE_CHECKING:
    from ._consignment import OnProgress
    from ._journeys import Journey
    from ._models import Article, Capability, Check, Context, Performance, Rendering, SearchResults, Verdicts


class Contact(Recording):
    """One visit, call or chat of a Client."""

    __slots__ = ("_light",)

    def __init__(
        self, light: "Client", identifiers: Identifiers, key: str | None, token: str | None, persona: str | None
    ) -> None:
        super().__init__(light._shared.recorder, identifiers, key, token, persona)
        self._light = light

    def context(
        self, *, within: float = 0.3, stale_ok: bool = False, recent: int = 20, brief: str | None = None
    ) -> "Context":
        """What this channel should know about the customer now, `recent` actions included; `within` seconds.

        First delivers this contact's own actions, or says `pending`. Raises the error tree; with `stale_ok`, a server
        that is away gives the last known context, marked `stale`, if there is one. `brief` "SMS" or "CARD" asks for it
        in few words, too: one text message, or at most 5 lines for whoever serves the customer.
        """
        return self._light._play(self._light._shared.context(self, within, stale_ok, recent, brief))

    def article(
        self,
        slug: str,
        *,
        rendering: "Rendering" = "html",
        locale: str | None = None,
        as_employee: bool = False,
        agent: str | None = None,
        within: float = 0.3,
        stale_ok: bool = False,
    ) -> "Article":
        """What of an article is for the customer, in `locale` such as de-CH or the next best; `within` seconds.

        That it was shown is recorded, durably like `record()`, as `rendering` was: "html", "plain", "sms" or "spoken".
        `as_employee` asks for what an employee who serves them sees, `agent` by name, in an ASSISTED channel. Raises
        the error tree: NotFound where nothing of it is for them. With `stale_ok`, a server that is away gives what it
        showed them last, marked `stale`, if there is any.
        """
        given = (rendering, locale, as_employee, agent, within, stale_ok)
        return self._light._play(self._light._shared.article(self, slug, *given))

    def search(
        self,
        query: str,
        *,
        topics: Sequence[str] = (),
        first: int = 10,
        locale: str | None = None,
        as_employee: bool = False,
        agent: str | None = None,
        within: float = 0.3,
        stale_ok: bool = False,
    ) -> "SearchResults":
        """What of the articles answers best, of what is for the customer: `first` hits, at most 50; `within` seconds.

        Words need not be whole, nor without mistakes; with `topics`, only what has one of them. That the hits' snippets
        were shown is recorded, durably like `record()`, once for each article. `locale`, `as_employee` and `agent` are
        as in `article()`. Raises the error tree; with `stale_ok`, a server that is away gives what the same query found
        last, marked `stale`, if there is any.
        """
        given = (topics, first, locale, as_employee, agent, within, stale_ok)
        return self._light._play(self._light._shared.search(self, query, *given))

    def journey(self, type: str, key: str = "", *, within: float = 0.3) -> "Journey":
        """Starts what the customer wants to get done, or picks it up where it was left, in whatever channel.

        There is one open journey of a `type` and `key`, such as an order. First delivers this contact's own actions.
        Raises the error tree; Forbidden where the channel is not sure enough of who it is.
        """
        with LOADING:
            from ._journeys import Journey
        shared = self._light._shared
        begun = self._light._play(shared.journey(self, type, key, within))
        return Journey(self._light, shared.recorder, shared.options, self, begun)

    def perform(
        self,
        capability: str,
        input: Mapping[str, Any],
        *,
        key: str,
        agent: str | None = None,
        journey: str | None = None,
        within: float = 10.0,
    ) -> "Performance":
        """Performs a business function, once for each `key`, and waits for what comes of it; `within` seconds.

        Whoever performs the same capability for the same customer with the same key, in whatever channel, is answered
        alike, so that repeating it is safe. The result is DONE, FAILED, UNKNOWN, ACCEPTED, or RUNNING if the time was
        up: look at its `state`. Raises the error tree: Conflict where the key was used with another `input`, Invalid
        for an input that does not fit, Forbidden where this channel may not, Unavailable where nothing was done.
        `agent` names the employee who does it. `journey` is the id of the customer's journey that it belongs to, whose
        timeline shows it; NotFound where it is not theirs. First delivers this contact's own actions.
        """
        return self._light._play(self._light._shared.perform(self, capability, input, key, agent, journey, within))

    def capabilities(self, *, within: float = 0.3) -> "tuple[Capability, ...]":
        """What this channel may offer the customer now, by name; of the rest, why not. Raises the error tree."""
        return self._light._play(self._light._shared.capabilities(self, within))


class Client:
    """Connects a channel app to Steadylight. Make one per process, and close it at the end.

    `url` and `key` come from STEADYLIGHT_URL and STEADYLIGHT_KEY unless given; raises Misconfigured without them.
    `on_refused` is told of each action that the server refused for good, in the background thread. `transport` is any
    httpx transport, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        options: Options | None = None,
        on_refused: OnRefused | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._shared = Shared(url, key, options, on_refused)
        self._transport = BlockingTransport(self._shared.endpoint, transport)
        self._delivery = ThreadDelivery(self._shared.recorder, self._transport, self._shared.options)

    def __repr__(self) -> str:
        return f"Client(url={self._shared.endpoint.url!r})"

    def customer(
        self,
        *,
        assurance: str = "CLAIMED",
        identifiers: Iterable[IdentifierLike] = (),
        token: str | None = None,
        **named: str | None,
    ) -> Customer[Contact]:
        """Somebody: `login="C-1001", assurance="LOGIN"`, or identifiers as (kind, value[, assurance]).

        `token` is the JSON Web Token with which they signed in to the app: it proves them when their context is read,
        whatever the channel itself may assert. Given alone, its subject is the `login`.
        """
        return Customer(identifiers_of(assurance, identifiers, named, token), token, self._contact)

    def contact(self, key: str | None = None, *, persona: str | None = None) -> Contact:
        """One visit, call or chat of somebody whom nobody has named yet: the one of this key, or a new one.

        `persona` is what the app calls them, the same in all their visits; without it each contact stands for itself.
        """
        return self._contact((), key, None, persona)

    def _contact(self, identifiers: Identifiers, key: str | None, token: str | None, persona: str | None) -> Contact:
        return Contact(self, identifiers, key, token, persona)

    def flush(self, timeout: float = 10.0) -> int:
        """Waits until everything recorded is delivered. How many actions are left after so many seconds."""
        return self._delivery.flush(timeout)

    def close(self, timeout: float | None = None) -> int:
        """Delivers what it can, in a second unless told otherwise, and ends. How many actions were not delivered.

        They wait on disk for the next start, unless there is no spool: then they are lost, and the log says so.
        """
        return self._delivery.close(self._shared.options.close_timeout if timeout is None else timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def check(self, within: float = 5.0) -> "Check":
        """Tries URL, key and clock. Raises nothing: what is wrong is in the report, with what to do about it."""
        return self._play(self._shared.check(within))

    def stats(self) -> Stats:
        """Counters of everything recorded, delivered and lost."""
        return self._shared.recorder.stats()

    def graphql(
        self, document: str, variables: Mapping[str, Any] | None = None, *, within: float = 10.0
    ) -> dict[str, Any]:
        """The `data` of any GraphQL operation; sent once, never repeated. Raises the error tree."""
        return self._play(self._shared.graphql("", document, variables, within))

    def register_channel(
        self, name: str, kind: str, highest_assurance: str | None = None, *, within: float = 10.0
    ) -> str:
        """The key of a new channel, which is shown this once. Needs an admin key with `channels:register`."""
        return self._play(self._shared.register(name, kind, highest_assurance, within))

    def deliver(
        self,
        actions: Iterable[Mapping[str, Any]],
        *,
        on_progress: "OnProgress | None" = None,
        within: float | None = None,
    ) -> "Verdicts":
        """Sends ready-made actions, with ids, sequences and times of their own, until each has a final verdict.

        Reads the iterable batch by batch, so it may be endless as far as memory goes. A server that is away is waited
        for, unless `within` seconds are over: then `retry` counts what has no verdict. Raises Unauthenticated or
        Forbidden when the key is refused.
        """
        with LOADING:
            from ._consignment import Consignment
        consignment = Consignment(actions, on_progress)
        until = self._shared.until(within)
        stopped = threading.Event()
        failures: list[BaseException] = []

        def work() -> None:
            playing = delivery(consignment, self._shared.options, until=until, patient=False)
            try:
                self._play(playing, lambda seconds: _wait(stopped, seconds))
            except BaseException as error:
                failures.append(error)
                stopped.set()
            finally:
                playing.close()

        workers = [
            threading.Thread(target=work, name="steadylight-deliver", daemon=True)
            for _ in range(self._shared.options.in_flight)
        ]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            stopped.set()
        if failures:
            raise failures[0]
        return self._shared.delivered(consignment)

    def _play(self, exchange: Exchange[T], sleep: Callable[[float], object] = time.sleep) -> T:
        answer: Answer | None = None
        try:
            while True:
                step = exchange.send(answer)
                answer = None
                if isinstance(step, Request):
                    answer = self._transport.send(step)
                elif isinstance(step, Sleep):
                    sleep(step.seconds)
                elif isinstance(step, Flush):
                    self._delivery.flush(step.seconds, step.contact)
        except StopIteration as end:
            result: T = end.value
            return result


class _Stopped(Exception):
    """Another worker of the same deliver() failed."""


def _wait(stopped: threading.Event, seconds: float) -> None:
    if stopped.wait(seconds):
        raise _Stopped

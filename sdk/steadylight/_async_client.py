"""AsyncClient: Client's verbs in an event loop. What records is a plain call, what reads is awaited."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from . import (  # noqa: F401 - asked for at the first use, where a loop should not stand still
    _article,
    _performing,
    _reading,
    _search,
)
from ._answers import Answer
from ._async_transport import AsyncTransport
from ._consignment import Consignment, OnProgress
from ._contact import Customer, IdentifierLike, Identifiers, Recording, identifiers_of
from ._journey import Begun, Errand
from ._models import (
    Article,
    Asked,
    Capability,
    Check,
    Context,
    Performance,
    Rendering,
    SearchResults,
    Verdicts,
)
from ._options import Options
from ._plain import Stats
from ._protocol import Flush, Request, Sleep, delivery
from ._recorder import OnRefused
from ._shared import Exchange, Shared, T
from ._task import TaskDelivery


class AsyncContact(Recording):
    """One visit, call or chat of an AsyncClient."""

    __slots__ = ("_light",)

    def __init__(
        self, light: "AsyncClient", identifiers: Identifiers, key: str | None, token: str | None, persona: str | None
    ) -> None:
        super().__init__(light._shared.recorder, identifiers, key, token, persona)
        self._light = light

    async def context(
        self, *, within: float = 0.3, stale_ok: bool = False, recent: int = 20, brief: str | None = None
    ) -> Context:
        """What this channel should know about the customer now, `recent` actions included; `within` seconds.

        First delivers this contact's own actions, or says `pending`. Raises the error tree; with `stale_ok`, a server
        that is away gives the last known context, marked `stale`, if there is one. `brief` "SMS" or "CARD" asks for it
        in few words, too: one text message, or at most 5 lines for whoever serves the customer.
        """
        return await self._light._play(self._light._shared.context(self, within, stale_ok, recent, brief))

    async def article(
        self,
        slug: str,
        *,
        rendering: Rendering = "html",
        locale: str | None = None,
        as_employee: bool = False,
        agent: str | None = None,
        within: float = 0.3,
        stale_ok: bool = False,
    ) -> Article:
        """What of an article is for the customer, in `locale` such as de-CH or the next best; `within` seconds.

        That it was shown is recorded, durably like `record()`, as `rendering` was: "html", "plain", "sms" or "spoken".
        `as_employee` asks for what an employee who serves them sees, `agent` by name, in an ASSISTED channel. Raises
        the error tree: NotFound where nothing of it is for them. With `stale_ok`, a server that is away gives what it
        showed them last, marked `stale`, if there is any.
        """
        given = (rendering, locale, as_employee, agent, within, stale_ok)
        return await self._light._play(self._light._shared.article(self, slug, *given))

    async def search(
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
    ) -> SearchResults:
        """What of the articles answers best, of what is for the customer: `first` hits, at most 50; `within` seconds.

        Words need not be whole, nor without mistakes; with `topics`, only what has one of them. That the hits' snippets
        were shown is recorded, durably like `record()`, once for each article. `locale`, `as_employee` and `agent` are
        as in `article()`. Raises the error tree; with `stale_ok`, a server that is away gives what the same query found
        last, marked `stale`, if there is any.
        """
        given = (topics, first, locale, as_employee, agent, within, stale_ok)
        return await self._light._play(self._light._shared.search(self, query, *given))

    async def journey(self, type: str, key: str = "", *, within: float = 0.3) -> "AsyncJourney":
        """Starts what the customer wants to get done, or picks it up where it was left, in whatever channel.

        There is one open journey of a `type` and `key`, such as an order. First delivers this contact's own actions.
        Raises the error tree; Forbidden where the channel is not sure enough of who it is.
        """
        begun = await self._light._play(self._light._shared.journey(self, type, key, within))
        return AsyncJourney(self._light, self, begun)

    async def perform(
        self,
        capability: str,
        input: Mapping[str, Any],
        *,
        key: str,
        agent: str | None = None,
        journey: str | None = None,
        within: float = 10.0,
    ) -> Performance:
        """Performs a business function, once for each `key`, and waits for what comes of it; `within` seconds.

        Whoever performs the same capability for the same customer with the same key, in whatever channel, is answered
        alike, so that repeating it is safe. The result is DONE, FAILED, UNKNOWN, ACCEPTED, or RUNNING if the time was
        up: look at its `state`. Raises the error tree: Conflict where the key was used with another `input`, Invalid
        for an input that does not fit, Forbidden where this channel may not, Unavailable where nothing was done.
        `agent` names the employee who does it. `journey` is the id of the customer's journey that it belongs to, whose
        timeline shows it; NotFound where it is not theirs. First delivers this contact's own actions.
        """
        return await self._light._play(
            self._light._shared.perform(self, capability, input, key, agent, journey, within)
        )

    async def capabilities(self, *, within: float = 0.3) -> tuple[Capability, ...]:
        """What this channel may offer the customer now, by name; of the rest, why not. Raises the error tree."""
        return await self._light._play(self._light._shared.capabilities(self, within))


class AsyncJourney(Errand):
    """One thing that a customer wants to get done, in a contact of an AsyncClient."""

    def __init__(self, light: "AsyncClient", contact: Recording, begun: Begun) -> None:
        super().__init__(light._shared.recorder, light._shared.options, contact, begun)
        self._light = light

    async def ask(self, question: str, *, within: float = 0.3) -> Asked:
        """What is known of a question, in whatever channel it was said: ask here before you ask the customer.

        That it came up is kept, so that it shows who is asked twice. A server that is away is no error: what was
        known before counts, or nothing. Raises NotFound for a journey that is not this contact's, Forbidden.
        """
        return await self._light._play(self._asking(question, within))

    async def advance(self, step: str, *, within: float = 0.3) -> bool:
        """Goes to a step, from the one that this app knows of. False where somebody else changed it first: `state`
        says what they did. Raises the error tree.
        """
        return await self._light._play(self._advancing(step, within))

    async def complete(self, outcome: str | None = None, *, within: float = 0.3) -> bool:
        """It is done. False where somebody ended it first: `state` says how. Raises the error tree."""
        return await self._light._play(self._becoming("COMPLETED", outcome, within))

    async def cancel(self, outcome: str | None = None, *, within: float = 0.3) -> bool:
        """The customer does not want it any more. As `complete`."""
        return await self._light._play(self._becoming("CANCELLED", outcome, within))

    async def wait(self, *, within: float = 0.3) -> bool:
        """It waits for somebody who is not the customer, and does not stall meanwhile. As `complete`."""
        return await self._light._play(self._becoming("WAITING", None, within))

    async def reopen(self, *, within: float = 0.3) -> bool:
        """It goes on, after it waited or was completed. As `complete`; raises Conflict where another one is open."""
        return await self._light._play(self._becoming("OPEN", None, within))


class AsyncClient:
    """Connects an asyncio channel app to Steadylight. Make one per process, and close it at the end.

    The verbs are Client's: what records is a plain call, so that a forgotten `await` loses nothing; what reads is
    awaited. `on_refused` is called in the event loop.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        options: Options | None = None,
        on_refused: OnRefused | None = None,
        transport: httpx.AsyncBaseTransport | httpx.BaseTransport | None = None,
    ) -> None:
        self._shared = Shared(url, key, options, on_refused)
        self._transport = AsyncTransport(self._shared.endpoint, transport)
        self._delivery = TaskDelivery(self._shared.recorder, self._transport, self._shared.options)

    def __repr__(self) -> str:
        return f"AsyncClient(url={self._shared.endpoint.url!r})"

    def customer(
        self,
        *,
        assurance: str = "CLAIMED",
        identifiers: Iterable[IdentifierLike] = (),
        token: str | None = None,
        **named: str | None,
    ) -> Customer[AsyncContact]:
        """Somebody: `login="C-1001", assurance="LOGIN"`, or identifiers as (kind, value[, assurance]).

        `token` is the JSON Web Token with which they signed in to the app: it proves them when their context is read,
        whatever the channel itself may assert. Given alone, its subject is the `login`.
        """
        return Customer(identifiers_of(assurance, identifiers, named, token), token, self._contact)

    def contact(self, key: str | None = None, *, persona: str | None = None) -> AsyncContact:
        """One visit, call or chat of somebody whom nobody has named yet: the one of this key, or a new one.

        `persona` is what the app calls them, the same in all their visits; without it each contact stands for itself.
        """
        return self._contact((), key, None, persona)

    def _contact(
        self, identifiers: Identifiers, key: str | None, token: str | None, persona: str | None
    ) -> AsyncContact:
        return AsyncContact(self, identifiers, key, token, persona)

    async def flush(self, timeout: float = 10.0) -> int:
        """Waits until everything recorded is delivered. How many actions are left after so many seconds."""
        return await self._delivery.flush(timeout)

    async def close(self, timeout: float | None = None) -> int:
        """Delivers what it can, in a second unless told otherwise, and ends. How many actions were not delivered.

        They wait on disk for the next start, unless there is no spool: then they are lost, and the log says so.
        """
        return await self._delivery.close(self._shared.options.close_timeout if timeout is None else timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def check(self, within: float = 5.0) -> Check:
        """Tries URL, key and clock. Raises nothing: what is wrong is in the report, with what to do about it."""
        return await self._play(self._shared.check(within))

    def stats(self) -> Stats:
        """Counters of everything recorded, delivered and lost."""
        return self._shared.recorder.stats()

    async def graphql(
        self, document: str, variables: Mapping[str, Any] | None = None, *, within: float = 10.0
    ) -> dict[str, Any]:
        """The `data` of any GraphQL operation; sent once, never repeated. Raises the error tree."""
        return await self._play(self._shared.graphql("", document, variables, within))

    async def register_channel(
        self, name: str, kind: str, highest_assurance: str | None = None, *, within: float = 10.0
    ) -> str:
        """The key of a new channel, which is shown this once. Needs an admin key with `channels:register`."""
        return await self._play(self._shared.register(name, kind, highest_assurance, within))

    async def deliver(
        self,
        actions: Iterable[Mapping[str, Any]],
        *,
        on_progress: OnProgress | None = None,
        within: float | None = None,
    ) -> Verdicts:
        """Sends ready-made actions, with ids, sequences and times of their own, until each has a final verdict.

        Reads the iterable batch by batch, in the event loop. A server that is away is waited for, unless `within`
        seconds are over: then `retry` counts what has no verdict. Raises Unauthenticated or Forbidden when the key is
        refused.
        """
        consignment = Consignment(actions, on_progress)
        until = self._shared.until(within)
        playing = [
            delivery(consignment, self._shared.options, until=until, patient=False)
            for _ in range(self._shared.options.in_flight)
        ]
        workers = [asyncio.ensure_future(self._play(each)) for each in playing]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for each in playing:
                each.close()
        return self._shared.delivered(consignment)

    async def _play(self, exchange: Exchange[T]) -> T:
        answer: Answer | None = None
        try:
            while True:
                step = exchange.send(answer)
                answer = None
                if isinstance(step, Request):
                    answer = await self._transport.send(step)
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Flush):
                    await self._delivery.flush(step.seconds, step.contact)
        except StopIteration as end:
            result: T = end.value
            return result

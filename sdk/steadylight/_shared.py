"""What both clients are made of: who and where, the recorder, and each exchange, ready to be played.

What reads is loaded where something is first read: pydantic's models take as long to load as all the rest, and who only
records needs none.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import _operations
from ._answers import Answer
from ._contact import Recording
from ._known import Known
from ._options import Options, endpoint
from ._process import LOADING
from ._protocol import Flush, Idle, Request, Sleep, asking
from ._recorder import OnRefused, Recorder

if TYPE_CHECKING:
    from ._article import Fetching
    from ._consignment import Consignment
    from ._journey import Begun
    from ._models import Article, Check, Context, Rendering, SearchResults, Verdicts
    from ._performing import Listing, Performing
    from ._reading import Reading
    from ._search import Searching

T = TypeVar("T")
#: Any exchange that ends with a T.
Exchange = Generator[Request | Sleep | Idle | Flush, Answer | None, T] | Generator[Request | Sleep, Answer | None, T]


class Shared:
    """What both clients are made of: who and where, the recorder, and exchanges ready to be played."""

    def __init__(self, url: str | None, key: str | None, options: Options | None, on_refused: OnRefused | None) -> None:
        self.endpoint = endpoint(url, key)
        self.options = options or Options()
        self.recorder = Recorder(self.options, on_refused, self.endpoint)
        self.known: Known[Context] = Known()
        self.articles: Known[Article] = Known()
        self.searches: Known[SearchResults] = Known()

    def context(self, contact: Recording, within: float, stale_ok: bool, recent: int, brief: str | None) -> "Reading":
        """Reads what the channel should know of who is in that contact."""
        with LOADING:
            from ._reading import reading
        return reading(
            self.recorder,
            self.known,
            self.options,
            contact=contact.key,
            identifiers=contact._identifiers,
            token=contact._token,
            within=within,
            stale_ok=stale_ok,
            recent=recent,
            brief=brief,
        )

    def article(
        self,
        contact: Recording,
        slug: str,
        rendering: "Rendering",
        locale: str | None,
        as_employee: bool,
        agent: str | None,
        within: float,
        stale_ok: bool,
    ) -> "Fetching":
        """Reads what of an article is for who is in that contact, and records that it was shown."""
        with LOADING:
            from ._article import fetching
        return fetching(
            self.articles,
            self.options,
            contact,
            slug,
            rendering=rendering,
            locale=locale,
            as_employee=as_employee,
            agent=agent,
            within=within,
            stale_ok=stale_ok,
        )

    def search(
        self,
        contact: Recording,
        query: str,
        topics: Sequence[str],
        first: int,
        locale: str | None,
        as_employee: bool,
        agent: str | None,
        within: float,
        stale_ok: bool,
    ) -> "Searching":
        """Finds what is for who is in that contact, and records that it was shown."""
        with LOADING:
            from ._search import searching
        return searching(
            self.searches,
            self.options,
            contact,
            query,
            topics=topics,
            first=first,
            locale=locale,
            as_employee=as_employee,
            agent=agent,
            within=within,
            stale_ok=stale_ok,
        )

    def journey(
        self, contact: Recording, type: str, key: str, within: float
    ) -> "Generator[Request | Sleep | Flush, Answer | None, Begun]":
        """Starts a journey, or picks it up."""
        with LOADING:
            from ._journey import starting
        return starting(self.recorder, self.options, contact, type, key, within)

    def perform(
        self,
        contact: Recording,
        capability: str,
        input: Mapping[str, Any],
        key: str,
        agent: str | None,
        journey: str | None,
        within: float,
    ) -> "Performing":
        """Performs a capability."""
        with LOADING:
            from ._performing import performing
        return performing(self.recorder, self.options, contact, capability, input, key, agent, journey, within)

    def capabilities(self, contact: Recording, within: float) -> "Listing":
        """What the channel may offer."""
        with LOADING:
            from ._performing import listing
        return listing(self.recorder, self.options, contact, within)

    def check(self, within: float) -> "Generator[Request | Sleep, Answer | None, Check]":
        """Tries whether all is well."""
        with LOADING:
            from ._reading import checking
        return checking(self.endpoint, self.options, within)

    def graphql(
        self, name: str, document: str, variables: Mapping[str, Any] | None, within: float
    ) -> Generator[Request | Sleep, Answer | None, dict[str, Any]]:
        """Asks once."""
        until = self.options.clock() + within
        # Never repeated: it may be a mutation, and the server may have acted before the connection broke.
        return asking(name, document, variables, self.options, until, repeatable=False)

    def register(
        self, name: str, kind: str, highest_assurance: str | None, within: float
    ) -> Generator[Request | Sleep, Answer | None, str]:
        """Adds a channel, and gives its key."""
        given = {"name": name, "kind": kind}
        if highest_assurance is not None:
            given["highestAssurance"] = highest_assurance
        data = yield from self.graphql("RegisterChannel", _operations.REGISTER_CHANNEL, {"input": given}, within)
        return str(data["registerChannel"]["key"])

    def until(self, within: float | None) -> float | None:
        """By the options' clock; None for ever."""
        return None if within is None else self.options.clock() + within

    def delivered(self, consignment: "Consignment") -> "Verdicts":
        """The result of deliver(), whose token later reads present."""
        verdicts = consignment.verdicts()
        self.recorder.token = verdicts.token or self.recorder.token
        return verdicts

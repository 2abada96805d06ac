"""What reading returns: frozen, datetimes aware and in UTC; fields of a newer server are ignored."""

from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, computed_field
from pydantic.alias_generators import to_camel

from ._plain import Assurance, Notice, Verdict

#: What an article is shown as.
Rendering = Literal["html", "plain", "sms", "spoken"]
UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
# The id alone of what the server gives as an object.
_Id = Annotated[str, BeforeValidator(lambda given: given["id"] if isinstance(given, dict) else given)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Identifier(_Model):
    """One way to name a customer: a kind and a value, as the server normalised it."""

    kind: str
    value: str


class Claim(Identifier):
    """An identifier that was stated but not proven; it shows nothing of anybody."""

    assurance: Assurance


class Subject(_Model):
    """The business object that an action is about."""

    kind: str
    id: str


class Action(_Model):
    """Something that somebody did in a channel."""

    #: The server's global id: `act_` and the hexadecimal digits of the UUID that record() gave.
    id: str
    type: str
    at: UtcDatetime
    channel: str
    actor: str
    sequence: int
    contact: str | None = None
    journey: str | None = None
    agent: str | None = None
    subject: Subject | None = None
    properties: dict[str, Any] = {}
    #: What it told about the customer, by name; None takes a trait back.
    traits: dict[str, Any] = {}


class PastContact(_Model):
    """One visit, call or chat that the customer had."""

    id: str
    channel: str
    key: str | None = None
    first_at: UtcDatetime
    last_at: UtcDatetime
    outcome: str | None = None


class Answer(_Model):
    """What a customer said in a journey, and how it is known."""

    question: str
    value: Any
    at: UtcDatetime
    channel: str
    contact: str | None = None
    assurance: Assurance


class Asked(_Model):
    """What is known of a question: `known`, and nobody need ask the customer."""

    question: str
    #: Whether there is a value to use, or to have confirmed.
    known: bool
    value: Any = None
    #: "CONFIRM": show it to the customer, who says whether it still holds. "USE": nobody asks again.
    use: Literal["USE", "CONFIRM"] | None = None
    #: Where and when it was said; None for what this very app has just been told.
    answer: Answer | None = None
    #: Why nothing is known, though the customer was asked before: asking them now is asking again.
    again: str | None = None
    #: True: the server did not answer, and this is what it said before.
    stale: bool = False


class Question(_Model):
    """What a journey asks, as the blueprint declares it."""

    name: str
    #: How it is put to the customer.
    label: str | None = None
    #: What an answer is; None for anything.
    form: Literal["TEXT", "NUMBER", "BOOLEAN", "DATE"] | None = None
    #: The answers there are; empty for any.
    choices: tuple[str, ...] = ()


class JourneyState(_Model):
    """Where one of a customer's journeys stands."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    id: str
    type: str
    #: The business's own name for it; empty where there is none.
    key: str = ""
    status: Literal["OPEN", "WAITING", "COMPLETED", "ABANDONED", "CANCELLED"]
    step: str | None = None
    #: In the usual order; empty for a type that no blueprint declares.
    steps: tuple[str, ...] = ()
    #: What it asks, in order; empty for a type that no blueprint declares, and in a context.
    questions: tuple[Question, ...] = ()
    #: In a context, and while it is open: what is known in it to this channel, by question; never what is SECRET.
    answers: tuple[Answer, ...] = ()
    outcome: str | None = None
    reopened: int = 0
    started_at: UtcDatetime
    #: When anything was last done about it.
    active_at: UtcDatetime
    #: When, and by which channel, its step or status was changed last.
    changed_at: UtcDatetime | None = None
    changed_in: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can be picked up."""
        return self.status in ("OPEN", "WAITING")


class Capability(_Model):
    """A business function, as this channel may offer it to this customer now."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    name: str
    label: str | None = None
    description: str | None = None
    #: What it is given, and what comes of it, as JSON Schema 2020-12.
    input: dict[str, Any] = {}
    output: dict[str, Any] = {}
    #: How sure a channel must be of who the customer is.
    assurance: Assurance
    reversible: bool = False
    #: The capability that undoes it.
    reversed_by: str | None = None
    #: Seconds that it may take.
    timeout: float = 10.0
    offered: Annotated[bool, Field(alias="isOffered")]
    #: Why not, or why not all of it: NOT_FEASIBLE, LIMITED, ASSURANCE_TOO_LOW, SCOPE_MISSING, UNAVAILABLE.
    why: str | None = None
    #: The same in words, for whoever serves the customer.
    reason: str | None = None


class Failure(_Model):
    """Why nothing was done, or why nobody knows: a code for programs, a line for people."""

    code: str
    message: str = ""


class Progress(_Model):
    """How far something has come."""

    #: From 0 to 1; None where nobody can tell.
    done: float | None = None
    message: str = ""
    at: UtcDatetime | None = None


class Performance(_Model):
    """One deed: one key of one customer and one capability, whatever channel asks."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    id: str
    capability: str
    key: str
    #: UNKNOWN: it may have been done, or not; it is never tried again, and somebody has to look. ACCEPTED: it goes on
    #: by itself. RUNNING: the time was up before it was over; the same again goes on waiting.
    state: Literal["RUNNING", "ACCEPTED", "DONE", "FAILED", "UNKNOWN"]
    #: What came of it, where it is DONE.
    output: dict[str, Any] | None = None
    #: Why it FAILED, or why nobody knows.
    failure: Failure | None = None
    progress: Progress | None = None
    #: The channel that began it.
    channel: str
    #: How often it was tried, always with the same key.
    attempt: int = 1
    begun_at: UtcDatetime
    ended_at: UtcDatetime | None = None
    #: The journey that it belongs to, by its id; None for none.
    journey: _Id | None = None
    #: Whether the key had been used before, in whatever channel.
    repeated: bool = False

    @property
    def done(self) -> bool:
        """Whether it is done, and `output` says what came of it."""
        return self.state == "DONE"


class Trait(_Model):
    """A named fact about a customer, and where it comes from."""

    name: str
    value: Any
    at: UtcDatetime
    #: How sure the channel was of whom it spoke.
    assurance: Assurance
    channel: str


class Context(_Model):
    """What this channel should know about this customer now."""

    #: None: nobody was proven to be anybody, and only this very contact is shown.
    customer: str | None = None
    #: The strongest with which the customer was recognised for this answer.
    assurance: Assurance | None = None
    identifiers: tuple[Identifier, ...] = ()
    claims: tuple[Claim, ...] = ()
    #: Newest first, from every channel.
    actions: tuple[Action, ...] = ()
    #: Latest first, from every channel.
    contacts: tuple[PastContact, ...] = ()
    #: What they want to get done: what is open first, then the latest.
    journeys: tuple[JourneyState, ...] = ()
    #: What is known of them, by name.
    traits: tuple[Trait, ...] = ()
    #: In few words, where `context(brief=…)` asked for it: one text message, or the lines of a card.
    brief: tuple[str, ...] = ()
    #: The server's time of this answer.
    at: UtcDatetime
    #: Proves what this answer had seen; opaque.
    token: str | None = None
    #: True: some of this contact's own actions had not reached the server yet.
    pending: bool = False
    #: True: the server did not answer, and this is what it said the last time.
    stale: bool = False


class ArticleFragment(_Model):
    """A part of an article, as each kind of channel shows it."""

    id: str
    #: What stands above it.
    heading: str | None = None
    #: The language that it is in.
    locale: str
    #: For pages: cleaned, so that nothing in it runs.
    html: str
    plain: str
    #: In one line, in the alphabet of text messages.
    sms: str
    #: For a voice.
    spoken: str


class Article(_Model):
    """What of an article is for whoever is in the contact."""

    slug: str
    #: The version that is shown.
    version: int
    title: str
    #: The language that was asked for, or the article's own.
    locale: str
    topics: tuple[str, ...] = ()
    #: In the order of reading.
    fragments: tuple[ArticleFragment, ...]
    #: When what is shown was published.
    updated_at: UtcDatetime
    #: From when on nobody is shown it; None for no such moment.
    expires_at: UtcDatetime | None = None
    #: Seconds for which it was still shown when the server sent it; None where it does not end by itself.
    max_age: float | None = None
    #: Of what is shown, by rendering; `article.shown` carries the one that was asked for.
    hashes: dict[Rendering, str]
    #: The same while the same is shown; opaque.
    etag: str
    #: True: the server did not answer, and this is what it showed the last time.
    stale: bool = False

    @property
    def html(self) -> str:
        """All fragments, for a page; headings are not among them."""
        return "\n".join(one.html for one in self.fragments)

    @property
    def plain(self) -> str:
        """All fragments, in plain text."""
        return "\n\n".join(one.plain for one in self.fragments)

    @property
    def sms(self) -> str:
        """All fragments, in one line."""
        return " ".join(one.sms for one in self.fragments)

    @property
    def spoken(self) -> str:
        """All fragments, for a voice."""
        return " ".join(one.spoken for one in self.fragments)


class SearchHit(_Model):
    """A part of an article that was found; `contact.article()` shows the whole."""

    slug: str
    #: The version that is shown.
    version: int
    title: str
    #: Which fragment of the article.
    fragment: str
    #: The language that it is in.
    locale: str
    #: What stands above it.
    heading: str | None = None
    #: The piece of it that shows why, in plain text.
    snippet: str
    #: The same for a page: escaped, with `<mark>` around what was looked for.
    html: str
    #: How well it answers, beside the other hits.
    score: float


class SearchResults(_Model):
    """What was found, for whoever is in the contact."""

    #: The best first.
    hits: tuple[SearchHit, ...] = ()
    #: How many there are in all.
    total: int = 0
    #: The query with words that are there in place of those that are not; None where all are.
    meant: str | None = None
    #: Seconds after which something of it may be shown no more, when the server sent it; None where nothing ends.
    max_age: float | None = None
    #: True: the server did not answer, and this is what it found the last time.
    stale: bool = False


class Verdicts(_Model):
    """What became of the actions that were delivered."""

    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    #: Taken from the iterable, but without a final verdict when the time was up.
    retry: int = 0
    #: Refusals in the order they came; the first 1,000.
    exceptions: tuple[Verdict, ...] = ()
    #: The first 1,000.
    warnings: tuple[Notice, ...] = ()
    #: Of the last answer; a context read that presents it sees these actions.
    token: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def sent(self) -> int:
        """All actions that were taken."""
        return self.stored + self.duplicate + self.refused + self.retry


class Check(_Model):
    """What `check()` found."""

    url: str
    #: The channel of the key; None for an admin key, or when the key could not be tried.
    channel: str | None = None
    scopes: tuple[str, ...] = ()
    highest_assurance: Assurance | None = None
    #: Seconds by which this machine is ahead of the server; None when no server answered.
    clock_skew: float | None = None
    #: Seconds of one question and answer.
    latency: float | None = None
    #: What is wrong, each in words that say what to do; empty when all is well.
    problems: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether a channel can work with this."""
        return not self.problems

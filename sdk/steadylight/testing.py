"""An in-memory Steadylight for your own tests: no process, no port, no sleep.

    from steadylight.testing import Server

    def test_viewing_a_plan_is_recorded() -> None:
        server = Server()
        with server.client("web") as light:
            my_app(light).view_plan("fibre-500")

        assert [action.type for action in server.actions] == ["plan.viewed"]

It answers the SDK's own operations by the rules of the real server (verdicts, assurance, contexts), and passes the same
contract tests. `fail`, `hesitate` and `down` let your app meet a bad day.
"""

import gzip
import json
import re
import secrets
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx

from ._actions import rfc3339
from ._async_client import AsyncClient
from ._client import Client
from ._contact import identifiers_of
from ._deeds import Accepted, Declared, Deeds, Failed, NotDone, Unknown
from ._errands import Errands
from ._errors import Conflict, Forbidden, Invalid, SteadylightError, Unauthenticated
from ._memory import Memory, RecordedAction
from ._options import Options, utc_now
from ._plain import Assurance
from ._recorder import OnRefused
from ._shelf import Shelf

__all__ = ["FAST", "Accepted", "Failed", "NotDone", "RecordedAction", "Server", "Unknown"]

#: What the clients of a Server use unless told otherwise: as ever, but nobody waits, and nothing is kept on disk.
FAST = Options(linger=0.0, backoff_base=0.01, backoff_ceiling=0.05, spool=None)

_HIGHEST = {
    "SELF_SERVICE": Assurance.LOGIN,
    "ASSISTED": Assurance.IN_PERSON,
    "AUTOMATED_AGENT": Assurance.LOGIN,
}
_BESIDE = "beside a customer's token"
_CODES = {
    400: "INVALID",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    413: "INVALID",
    429: "RATE_LIMITED",
    500: "INTERNAL",
}


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    kind: str
    highest_assurance: Assurance


def _for_customer(channel: _Channel, given: Mapping[str, Any], token: str) -> tuple[_Channel, Mapping[str, Any]]:
    """What a customer's token beside the key makes of a read: it alone proves, and here it is taken at its word."""
    proven = identifiers_of("LOGIN", (), {}, token)
    if not proven:
        raise Unauthenticated("The credential is neither a key of ours nor a token.")
    named = {(each["kind"], each["value"]) for each in proven}
    others = [each for each in given.get("identifiers", ()) if (each["kind"], each["value"]) not in named]
    claims = [{**each, "assurance": "CLAIMED"} for each in others]
    told = {**given, "identifiers": [*proven, *claims], _BESIDE: True}
    return replace(channel, highest_assurance=Assurance.LOGIN), told


class Server:
    """A Steadylight that lives in your test."""

    #: Where its clients find it; nothing listens there.
    url = "http://steadylight.test"

    def __init__(self, *, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._memory = Memory(now)
        self._errands = Errands(self._memory, now)
        self._memory.journeys = self._errands.of
        self._deeds = Deeds(self._memory, now, self._errands.mine)
        self._shelf = Shelf(now)
        self._lock = threading.RLock()
        self._channels: dict[str, _Channel] = {}
        self._keys: dict[str, _Channel | None] = {}
        self._failures: deque[httpx.Response] = deque()
        self._is_down = False
        #: Give it to `Client(transport=...)` or `AsyncClient(transport=...)`, or use `client()`.
        self.transport = httpx.MockTransport(self._answer)
        #: Registers channels, and records nothing.
        self.admin_key = self._new_key(None)

    def client(
        self,
        channel: str = "web",
        kind: str = "SELF_SERVICE",
        *,
        options: Options = FAST,
        on_refused: OnRefused | None = None,
    ) -> Client:
        """A Client of that channel, which is registered if it is new. Close it, or use it in a `with`."""
        key = self.key(channel, kind)
        return Client(self.url, key, options=options, on_refused=on_refused, transport=self.transport)

    def async_client(
        self,
        channel: str = "web",
        kind: str = "SELF_SERVICE",
        *,
        options: Options = FAST,
        on_refused: OnRefused | None = None,
    ) -> AsyncClient:
        """An AsyncClient of that channel, which is registered if it is new. Close it, or use it in an `async with`."""
        key = self.key(channel, kind)
        return AsyncClient(self.url, key, options=options, on_refused=on_refused, transport=self.transport)

    def key(self, channel: str, kind: str = "SELF_SERVICE", highest_assurance: str | None = None) -> str:
        """A new key of that channel, which is registered if it is new, or changed if it was of another kind."""
        if kind not in _HIGHEST:
            raise ValueError(f"{kind!r} is no kind of channel: {', '.join(_HIGHEST)}")
        with self._lock:
            self._channels[channel] = _Channel(channel, kind, Assurance(highest_assurance or _HIGHEST[kind]))
            return self._new_key(self._channels[channel])

    def publish(
        self,
        slug: str,
        title: str,
        customers: Mapping[str, str],
        *,
        employees: Mapping[str, str] | None = None,
        expires_at: datetime | None = None,
    ) -> int:
        """The version of an article that is shown from now on, of bodies by fragment; `employees` see both sorts.

        From `expires_at` on, an aware moment, nobody is shown it.
        """
        if expires_at is not None and expires_at.tzinfo is None:
            raise ValueError("expires_at: a moment with its time zone")
        with self._lock:
            return self._shelf.put(slug, title, customers, employees or {}, expires_at)

    def expire(self, slug: str) -> None:
        """Nobody is shown that article any more."""
        with self._lock:
            self._shelf.take(slug)

    def revoke(self, key: str) -> None:
        """The key is good for nothing from now on."""
        self._keys.pop(key, None)

    @property
    def actions(self) -> tuple[RecordedAction, ...]:
        """All that was stored, in the order of the timeline, under the ids that record() gave. Flush first."""
        with self._lock:
            return tuple(self._memory.actions)

    def capability(
        self,
        name: str,
        function: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        *,
        assurance: str = "LOGIN",
        limited: Mapping[str, str] | None = None,
        not_feasible: Mapping[str, str] | None = None,
    ) -> None:
        """There is a capability of that name from now on, and this function of the input performs it.

        It returns the output, or raises Failed, Unknown or NotDone; `Accepted()` goes on by itself. Channels that may
        not offer it, or not all of it, are given with the reason. Inputs are not judged: there is no schema.
        """
        declared = Declared(name, function, Assurance(assurance), dict(limited or {}), dict(not_feasible or {}))
        with self._lock:
            self._deeds.declare(declared)

    def fail(
        self,
        status: int = 503,
        *,
        times: int = 1,
        code: str | None = None,
        retry_after: float | None = None,
        body: bytes | None = None,
    ) -> None:
        """The next requests fail with this HTTP status, before anything is done.

        The body is a GraphQL error of `code`, which follows from the status unless given (with 200 it is the way
        GraphQL servers hide a failure); or exactly `body`, e.g. a proxy's page.
        """
        told = {"code": code or _CODES.get(status, "UNAVAILABLE"), "requestId": "test"}
        content = json.dumps({"errors": [{"message": "Failed by the test.", "extensions": told}]}).encode()
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        for _ in range(times):
            self._failures.append(httpx.Response(status, headers=headers, content=content if body is None else body))

    def hesitate(self, actions: int = 1) -> None:
        """So many of the next new actions get the verdict RETRY, once each time they are sent."""
        self._memory.hesitations += actions

    def down(self) -> None:
        """From now on connections are refused."""
        self._is_down = True

    def up(self) -> None:
        """It answers again."""
        self._is_down = False

    def _new_key(self, channel: _Channel | None) -> str:
        key = f"sl_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
        self._keys[key] = channel
        return key

    def _answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            if self._is_down:
                raise httpx.ConnectError("the test took the server down", request=request)
            if self._failures:
                return self._failures.popleft()
            headers = {"X-Request-Id": uuid.uuid4().hex}
            try:
                return httpx.Response(200, headers=headers, json={"data": self._data(request)})
            except SteadylightError as error:
                extensions = {"code": error.code, "requestId": headers["X-Request-Id"]}
                told = {"errors": [{"message": error.message, "extensions": extensions}]}
                return httpx.Response(401 if error.code == "UNAUTHENTICATED" else 200, headers=headers, json=told)

    def _data(self, request: httpx.Request) -> dict[str, Any]:
        packed = request.headers.get("content-encoding") == "gzip"
        asked = json.loads(gzip.decompress(request.content) if packed else request.content)
        if asked["query"].split() in (["{__typename}"], ["{", "__typename", "}"]):
            return {"__typename": "Query"}
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key not in self._keys:
            raise Unauthenticated("The key is not known, or no longer good.")
        answers: dict[str, Callable[[_Channel | None, Mapping[str, Any]], dict[str, Any]]] = {
            "RecordActions": self._record_actions,
            "FetchContext": self._fetch_context,
            "FetchArticle": self._fetch_article,
            "FetchSearch": self._fetch_search,
            "StartJourney": self._journey("startJourney", self._errands.start),
            "AskQuestion": self._journey("askQuestion", self._errands.ask),
            "AdvanceJourney": self._journey("advanceJourney", self._errands.advance),
            "SetJourneyStatus": self._journey("setJourneyStatus", self._errands.become),
            "PerformCapability": self._journey("performCapability", self._deeds.perform),
            "ListCapabilities": self._capabilities,
            "WhoAmI": self._who_am_i,
            "RegisterChannel": self._register_channel,
        }
        answer = answers.get(asked.get("operationName", ""))
        if answer is None:
            raise Invalid("The in-memory server knows the SDK's own operations only.")
        channel, given = self._keys[key], (asked.get("variables") or {}).get("input", {})
        if channel is not None and (token := request.headers.get("steadylight-customer")):
            channel, given = _for_customer(channel, given, token)
        return answer(channel, given)

    def _record_actions(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        if channel is None:
            raise Forbidden("An admin's key records nothing: use the key of the channel in which it happened.")
        verdicts = self._memory.record(given.get("batch"), channel.name, channel.highest_assurance)
        return {"recordActions": {"verdicts": verdicts}}

    def _fetch_context(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        name, cap = (channel.name, channel.highest_assurance) if channel else (None, Assurance.IN_PERSON)
        return {"contextDocument": self._memory.context(given, name, cap)}

    def _fetch_article(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        is_desk = channel is None or (channel.kind == "ASSISTED" and not given.get(_BESIDE))
        return {"articleDocument": self._shelf.document(given, may_be_employee=is_desk)}

    def _fetch_search(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        is_desk = channel is None or (channel.kind == "ASSISTED" and not given.get(_BESIDE))
        return {"searchDocument": self._shelf.search(given, may_be_employee=is_desk)}

    def _journey(
        self, name: str, errand: Callable[[Mapping[str, Any], str, Assurance], dict[str, Any]]
    ) -> Callable[[_Channel | None, Mapping[str, Any]], dict[str, Any]]:
        def answer(channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
            if channel is None:
                raise Forbidden(f"{name} is for channels' keys and customers.")
            return {name: errand(given, channel.name, channel.highest_assurance)}

        return answer

    def _capabilities(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        if channel is None:
            raise Invalid("channel: which one? This credential speaks for none.")
        return {"capabilities": self._deeds.list(given, channel.name, channel.highest_assurance)}

    def _who_am_i(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        scopes = (
            ["actions:write", "customers:read"]
            if channel
            else ["capabilities:report", "channels:register", "customers:read", "identities:link", "knowledge:write"]
        )
        return {
            "viewer": {
                "channel": channel.name if channel else None,
                "scopes": scopes,
                "highestAssurance": channel.highest_assurance if channel else Assurance.IN_PERSON,
                "serverTime": rfc3339(self._now()),
            }
        }

    def _register_channel(self, channel: _Channel | None, given: Mapping[str, Any]) -> dict[str, Any]:
        if channel is not None:
            raise Forbidden("This key lacks the scope channels:register.")
        name, kind = str(given.get("name")), str(given.get("kind"))
        if kind not in _HIGHEST:
            raise Invalid(f"{kind!r} is no kind of channel.")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,49}", name):
            raise Invalid("A channel's name has 1 to 50 lower-case letters, digits and hyphens, a letter first.")
        if given.get("highestAssurance") not in (None, *Assurance):
            raise Invalid(f"{given['highestAssurance']!r} is no assurance.")
        new = _Channel(name, kind, Assurance(given.get("highestAssurance") or _HIGHEST[kind]))
        if self._channels.setdefault(name, new) != new:
            raise Conflict(f"There is a channel called {name} already.")
        return {"registerChannel": {"channel": {"name": name}, "key": self._new_key(new)}}

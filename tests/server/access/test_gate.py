"""Who is asking: remembered while that is safe, and forgotten on every server before a revocation returns."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from steadylight_server.access import gate as module
from steadylight_server.access.gate import Gate
from steadylight_server.access.models import (
    ADMIN_SCOPES,
    AGENT_SCOPES,
    Channel,
    ChannelKind,
    Credential,
    Proven,
    Role,
    Scope,
    Viewer,
)
from steadylight_server.access.service import TRUST
from steadylight_server.access.store import AccessStore
from steadylight_server.access.tokens import Tokens
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.errors import Forbidden, SteadylightError, Unauthenticated, Unavailable
from steadylight_server.workers import refreshing
from tests.conftest import LiveServer, settings_for
from tests.factories import BY, viewer
from tests.issuers import IssuerKit
from tests.live.processes import wait_until
from tests.server.conftest import NOWHERE, Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
GONE = {"errorCode": 50}
OUR_FAULT = {"errorCode": 2}
QUERY = {"query": "{ viewer { role } }"}


class Watch:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(module, "time", watch)
    return watch


@pytest.fixture
async def web(house: Slices) -> str:
    """The name of a channel of one's own."""
    return (await house.access.add_channel(f"web-{uuid4().hex[:12]}", ChannelKind.SELF_SERVICE, by=BY)).name


@pytest.fixture
async def key(house: Slices, web: str) -> str:
    return (await house.access.add_key(web, by=BY))[1]


def id_of(secret: str) -> str:
    return secret.split("_")[1]


async def end(house: Slices, secret: str) -> None:
    """Revokes it as another server does, without the wait."""
    assert await house.stores.access.end(id_of(secret), field="revoked_at", at=datetime.now(UTC))


async def looked_up(house: Slices, ask: Callable[[], Any]) -> int:
    """How often credentials were looked up meanwhile."""
    async with house.watched() as done:
        await ask()
    return len([one for one in done if one["ns"].endswith(".credentials") and one.get("op") == "query"])


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_key_is_looked_up_once_while_it_is_refreshed(house: Slices, key: str) -> None:
    await house.gate.refresh()

    async def ask() -> None:
        for _ in range(20):
            await house.gate.key(key)

    assert await looked_up(house, ask) == 1


async def test_what_is_remembered_is_trusted_so_long_and_then_looked_up_each_time(
    house: Slices, key: str, watch: Watch
) -> None:
    await house.gate.refresh()
    await house.gate.key(key)

    async def ask() -> None:
        for _ in range(3):
            await house.gate.key(key)

    watch.at += TRUST - 0.01
    trusted = await looked_up(house, ask)
    watch.at += 0.01
    untrusted = await looked_up(house, ask)

    assert (trusted, untrusted) == (0, 3)


async def test_a_key_that_was_ended_elsewhere_is_forgotten_by_the_next_refresh(house: Slices, key: str) -> None:
    await house.gate.refresh()
    await house.gate.key(key)
    await end(house, key)
    remembered = await house.gate.key(key)

    await house.gate.refresh()

    assert remembered.credential == id_of(key)
    with pytest.raises(Unauthenticated):
        await house.gate.key(key)


class Late(AccessStore):
    """The store over a connection on which what has ended is told when the test says."""

    tells: asyncio.Event | None = None

    async def changed_since(self, at: datetime) -> dict[str, datetime]:
        found = await super().changed_since(at)
        if self.tells is not None:
            await self.tells.wait()
        return found


@pytest.fixture
async def late(house: Slices, key: str, watch: Watch) -> Gate:
    """A gate that remembers the key and does not trust its memory any more, over a store that does not tell."""
    store = Late(house.database)
    gate = Gate(store, Tokens((), NOWHERE), clock=house.clock)
    await gate.refresh()
    await gate.key(key)
    watch.at += TRUST
    store.tells = asyncio.Event()
    return gate


async def test_who_asks_during_a_refresh_waits_for_it_and_does_not_ask_the_database(
    house: Slices, key: str, late: Gate
) -> None:
    async def ask() -> None:
        refreshing = asyncio.create_task(late.refresh())
        several = [asyncio.create_task(late.key(key)) for _ in range(3)]
        await asyncio.sleep(0.05)
        tell(late)
        await refreshing
        assert {viewer.credential for viewer in await asyncio.gather(*several)} == {id_of(key)}

    assert await looked_up(house, ask) == 1  # that of the refresh


async def test_who_waits_for_a_refresh_that_learns_that_the_key_has_ended_is_refused(
    house: Slices, key: str, late: Gate
) -> None:
    await end(house, key)
    refreshing = asyncio.create_task(late.refresh())
    asking = asyncio.create_task(late.key(key))
    await asyncio.sleep(0.05)

    tell(late)
    await refreshing

    with pytest.raises(Unauthenticated):
        await asking


async def test_who_waits_too_long_for_a_refresh_asks_the_database(house: Slices, key: str, late: Gate) -> None:
    refreshing = asyncio.create_task(late.refresh())

    viewer = await asyncio.wait_for(late.key(key), TRUST + 5)

    assert viewer.credential == id_of(key)
    assert not refreshing.done()
    tell(late)
    await refreshing


def tell(gate: Gate) -> None:
    store = gate._store
    assert isinstance(store, Late)
    assert store.tells is not None
    store.tells.set()


@pytest.mark.parametrize("trouble", [GONE, OUR_FAULT])
async def test_when_refreshing_fails_each_request_is_judged_by_the_database(
    house: Slices, key: str, watch: Watch, trouble: dict[str, Any]
) -> None:
    await house.gate.refresh()
    await house.gate.key(key)
    async with house.failing("find", collection="credentials", **trouble):
        with pytest.raises((Unavailable, OperationFailure)):
            await house.gate.refresh()
        trusted = await house.gate.key(key)
        watch.at += TRUST
        with pytest.raises((Unavailable, OperationFailure)) as caught:
            await house.gate.key(key)

    await end(house, key)

    assert trusted.credential == id_of(key)
    assert not isinstance(caught.value, Unauthenticated)
    with pytest.raises(Unauthenticated):
        await house.gate.key(key)


async def test_what_ended_while_refreshing_failed_is_forgotten_afterwards(
    house: Slices, key: str, watch: Watch
) -> None:
    await house.gate.refresh()
    await house.gate.key(key)
    async with house.failing("find", collection="credentials", times=1, **GONE):
        with pytest.raises(Unavailable):
            await house.gate.refresh()
    await end(house, key)
    watch.at += 3_600

    await house.gate.refresh()

    with pytest.raises(Unauthenticated):
        await house.gate.key(key)


class Slow(AccessStore):
    """The store over a connection whose answers arrive when the test says."""

    arrives: asyncio.Event | None = None

    async def credential(self, id: str) -> tuple[Credential, bytes] | None:
        found = await super().credential(id)
        if self.arrives is not None:
            await self.arrives.wait()
        return found


async def test_an_answer_that_was_overtaken_by_a_refresh_is_not_remembered(house: Slices, key: str) -> None:
    store = Slow(house.database)
    gate = Gate(store, Tokens((), NOWHERE), clock=house.clock)
    await gate.refresh()
    store.arrives = asyncio.Event()
    early = asyncio.create_task(gate.key(key))
    await asyncio.sleep(0.05)

    await end(house, key)
    await gate.refresh()
    store.arrives.set()
    await early

    with pytest.raises(Unauthenticated):
        await gate.key(key)


async def test_a_channel_that_was_changed_is_looked_at_anew_once_it_is_forgotten(
    house: Slices, web: str, key: str
) -> None:
    await house.gate.refresh()
    channel = await house.access.channel(web)
    before = await house.gate.key(key)

    await house.stores.access.put_channel(channel.model_copy(update={"highest_assurance": Assurance.CALLER_ID}))
    remembered = await house.gate.key(key)
    house.gate.forget_channels()
    after = await house.gate.key(key)

    assert (before.highest_assurance, remembered.highest_assurance) == (Assurance.LOGIN, Assurance.LOGIN)
    assert after.highest_assurance is Assurance.CALLER_ID


async def test_a_channel_that_is_forgotten_while_it_is_looked_up_is_not_remembered(
    house: Slices, web: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = house.stores.access.channel

    async def overtaken(name: str) -> Channel | None:
        found = await look(name)
        assert found is not None
        monkeypatch.undo()
        await house.stores.access.put_channel(found.model_copy(update={"highest_assurance": Assurance.OTP}))
        house.gate.forget_channels()
        return found

    await house.gate.refresh()
    monkeypatch.setattr(house.stores.access, "channel", overtaken)

    overtook = await house.gate.key(key)
    after = await house.gate.key(key)

    assert (overtook.highest_assurance, after.highest_assurance) == (Assurance.LOGIN, Assurance.OTP)


async def test_a_key_that_expires_is_refused_from_memory_too(house: Slices, web: str, key: str) -> None:
    house.clock.at = AT
    await house.access.rotate(web, overlap=timedelta(hours=1), by=BY)
    await house.gate.refresh()
    await house.gate.key(key)

    house.clock.at = AT + timedelta(hours=1)

    with pytest.raises(Unauthenticated):
        await house.gate.key(key)


async def test_rotating_with_an_overlap_is_learnt_by_who_remembers_the_key(house: Slices, web: str, key: str) -> None:
    house.clock.at = AT
    await house.gate.refresh()
    await house.gate.key(key)

    await house.beside().access.rotate(web, overlap=timedelta(hours=1), by=BY)
    await house.gate.refresh()
    during = await house.gate.key(key)
    house.clock.at = AT + timedelta(hours=1)

    assert during.expires_at == AT + timedelta(hours=1)
    with pytest.raises(Unauthenticated):
        await house.gate.key(key)


async def test_no_more_than_so_many_are_remembered(house: Slices, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
    keys = [(await house.access.add_key(web, by=BY))[1] for _ in range(5)]
    await house.gate.refresh()

    for key in (*keys, *keys):
        assert (await house.gate.key(key)).credential == id_of(key)

    assert len(house.gate._remembered) == 3


async def test_what_is_no_key_is_not_remembered(house: Slices, key: str) -> None:
    await house.gate.refresh()

    for secret in (key[:-1], f"{key}x", key.upper(), f"sls_{key[3:]}", f"sll_{key[3:]}", "", "\ud800", "a" * 100_000):
        for judge in (house.gate.key, house.gate.session):
            with pytest.raises(Unauthenticated):
                await judge(secret)

    assert len(house.gate._remembered) == 0


async def test_each_kind_of_secret_opens_its_own_door_only(house: Slices, key: str) -> None:
    _, link = await house.access.add_link(Role.ADMIN, "ann", by=BY)
    _, spare = await house.access.add_link(Role.ADMIN, "ann", by=BY)
    _, session = await house.access.sign_in(spare)
    await house.gate.refresh()

    opened = [(await house.gate.key(key)).role, (await house.gate.session(session)).role]

    assert opened == [Role.CHANNEL, Role.ADMIN]
    for judge, wrong in ((house.gate.key, session), (house.gate.key, link), (house.gate.session, key)):
        for _ in range(2):  # once by the database, once from memory
            with pytest.raises(Unauthenticated):
                await judge(wrong)
    with pytest.raises(Unauthenticated):
        await house.gate.session(link)
    with pytest.raises(Unauthenticated):
        await house.access.sign_in(session)


async def test_a_session_is_of_the_employee_who_was_sent_the_link(house: Slices, web: str) -> None:
    house.clock.at = AT
    _, link = await house.access.add_link(Role.AGENT, "A. Singh", channel=web, by=BY)
    credential, session = await house.access.sign_in(link)

    who = await house.gate.session(session)

    assert who == Viewer(
        role=Role.AGENT,
        id=credential.id,
        name="A. Singh",
        channel=web,
        scopes=AGENT_SCOPES,
        highest_assurance=Assurance.LOGIN,
        credential=credential.id,
        expires_at=AT + timedelta(hours=8),
    )


# ended(): what an open WebSocket waits for


async def test_who_waits_is_told_as_soon_as_the_credential_was_ended_elsewhere(house: Slices, key: str) -> None:
    async with refreshing(house.gate):
        who = await house.gate.key(key)
        waiting = asyncio.create_task(house.gate.ended(who, check_every=60))
        await asyncio.sleep(0.3)
        still_waiting = not waiting.done()
        began = time.monotonic()
        await house.beside().access.revoke(id_of(key), by=BY)
        await asyncio.wait_for(waiting, 1)

    assert still_waiting
    assert time.monotonic() - began < TRUST + 0.5
    assert house.gate._waiting == {}


async def test_an_end_that_is_told_while_one_looks_is_not_missed(house: Slices, key: str) -> None:
    store = Slow(house.database)
    gate = Gate(store, Tokens((), NOWHERE), clock=house.clock)
    await gate.refresh()
    who = await gate.key(key)
    store.arrives = asyncio.Event()
    waiting = asyncio.create_task(gate.ended(who, check_every=60))
    await asyncio.sleep(0.05)

    await end(house, key)
    await gate.refresh()
    store.arrives.set()

    await asyncio.wait_for(waiting, 2)


async def test_who_waits_with_a_key_that_was_rotated_does_not_ask_at_each_refresh(
    house: Slices, web: str, key: str
) -> None:
    who = await house.gate.key(key)
    await house.gate.refresh()
    await house.access.rotate(web, overlap=timedelta(hours=1), by=BY)
    waiting = asyncio.create_task(house.gate.ended(who, check_every=60))

    async def refresh() -> None:
        for _ in range(10):
            await house.gate.refresh()
            await asyncio.sleep(0.01)

    looked = await looked_up(house, refresh)

    assert looked <= 10 + 2  # each refresh is one; who waits looked at first, and when it was told
    assert not waiting.done()
    waiting.cancel()


async def test_who_waits_with_a_token_is_told_when_it_expires(house: Slices) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=0.3)
    who = viewer().model_copy(update={"credential": None, "expires_at": ends})

    await asyncio.wait_for(house.gate.ended(who, check_every=60), 2)

    assert datetime.now(UTC) >= ends


async def test_who_waits_is_told_that_nobody_knows(house: Slices, key: str) -> None:
    who = await house.gate.key(key)

    async with house.failing("find", collection="credentials", **GONE):
        with pytest.raises(Unavailable):
            await house.gate.ended(who, check_every=0.01)


# When a key was used last


async def last_used(house: Slices, secret: str) -> datetime | None:
    found = await house.stores.access.credential(id_of(secret))
    assert found
    return found[0].last_used_at


async def test_the_last_use_is_written_now_and_then(house: Slices, key: str, watch: Watch) -> None:
    await house.gate.refresh()
    house.clock.at = AT
    await house.gate.key(key)
    await house.gate.refresh()
    before = await last_used(house, key)

    watch.at += 16
    await house.gate.refresh()

    assert (before, await last_used(house, key)) == (None, AT)


async def test_the_last_use_is_written_when_the_server_stops(house: Slices, key: str) -> None:
    house.clock.at = AT
    async with refreshing(house.gate, every=60):
        await asyncio.sleep(0.05)
        await house.gate.key(key)

    assert await last_used(house, key) == AT


async def test_the_last_use_is_the_latest_of_all_servers(house: Slices, key: str) -> None:
    other = house.beside()
    house.clock.at = AT
    await house.gate.key(key)
    house.clock.at = AT + timedelta(minutes=1)
    await other.gate.key(key)

    await other.gate.mark_used()
    await house.gate.mark_used()

    assert await last_used(house, key) == AT + timedelta(minutes=1)


async def test_a_use_that_could_not_be_written_is_written_the_next_time(house: Slices, key: str) -> None:
    house.clock.at = AT
    await house.gate.key(key)
    async with house.failing("update", collection="credentials", times=1, **GONE):
        with pytest.raises(Unavailable):
            await house.gate.mark_used()

    await house.gate.mark_used()

    assert await last_used(house, key) == AT


async def test_a_key_that_is_refused_was_not_used(house: Slices, key: str) -> None:
    await end(house, key)
    with pytest.raises(Unauthenticated):
        await house.gate.key(key)

    await house.gate.mark_used()

    assert await last_used(house, key) is None


# Tokens


CUSTOMERS = IssuerKit("id", "CUSTOMER", {"own": None, "web-page": "web", "ivr-app": "ivr", "gone": "gone"})
AGENTS = IssuerKit("staff", "AGENT", {"desk": "web", "office": None}, algorithm="ES256")
ADMINS = IssuerKit("ops", "ADMIN", {"tool": None}, algorithm="ES256")
KITS = (CUSTOMERS, AGENTS, ADMINS)


@pytest.fixture
async def gate(house: Slices) -> Gate:
    """Trusts tokens; there are the channels web and ivr."""
    for name, highest in (("web", Assurance.LOGIN), ("ivr", Assurance.OTP)):
        if name not in {one.name for one in await house.access.channels()}:
            await house.access.add_channel(name, ChannelKind.SELF_SERVICE, highest_assurance=highest, by=BY)
    return Gate(house.stores.access, Tokens([kit.settings() for kit in KITS], NOWHERE), clock=house.clock)


@pytest.mark.parametrize(
    ("kit", "audience", "channel", "scopes", "highest"),
    [
        (CUSTOMERS, "own", None, {Scope.CUSTOMERS_READ}, Assurance.IN_PERSON),
        (CUSTOMERS, "web-page", "web", {Scope.CUSTOMERS_READ, Scope.ACTIONS_WRITE}, Assurance.LOGIN),
        (CUSTOMERS, "ivr-app", "ivr", {Scope.CUSTOMERS_READ, Scope.ACTIONS_WRITE}, Assurance.OTP),
        (AGENTS, "desk", "web", {Scope.CUSTOMERS_READ}, Assurance.LOGIN),
        (AGENTS, "office", None, {Scope.CUSTOMERS_READ}, Assurance.IN_PERSON),
        (ADMINS, "tool", None, set(ADMIN_SCOPES), Assurance.IN_PERSON),
    ],
)
async def test_a_token_opens_what_its_issuer_and_audience_say(
    gate: Gate, kit: IssuerKit, audience: str, channel: str | None, scopes: set[Scope], highest: Assurance
) -> None:
    who = await gate.token(kit.token("C-1", aud=audience, scope="actions:write channels:register", channel="desk"))

    assert (who.role, who.channel, who.highest_assurance) == (Role(kit.role), channel, highest)
    assert who.scopes == scopes
    assert (who.id, who.credential) == (f"{kit.issuer}#C-1", None)
    assert who.name == (None if kit is CUSTOMERS else "C-1")
    assert who.customer == (Proven("login", "C-1") if kit is CUSTOMERS else None)
    assert who.expires_at is not None


async def test_a_token_for_a_channel_that_is_not_there_is_refused(gate: Gate) -> None:
    with pytest.raises(Unauthenticated, match="stands for the channel gone, which is not there"):
        await gate.token(CUSTOMERS.token(aud="gone"))


async def test_beside_a_customers_token_a_key_speaks_for_that_customer_until_the_token_ends(
    gate: Gate, house: Slices
) -> None:
    who = await gate.key((await house.access.add_key("web", by=BY))[1])
    exp = int(time.time()) + 60

    for audience in ("web-page", "own"):
        spoken = await gate.for_customer(who, CUSTOMERS.token("C-1", aud=audience, exp=exp))

        assert (spoken.channel, spoken.scopes, spoken.credential) == ("web", who.scopes, who.credential)
        assert spoken.customer == Proven("login", "C-1")
        assert spoken.expires_at == datetime.fromtimestamp(exp + 30, UTC)
        assert spoken.cap(Assurance.LOGIN) is Assurance.CLAIMED


@pytest.mark.parametrize(
    ("token", "error", "told"),
    [
        (CUSTOMERS.token(aud="ivr-app"), Unauthenticated, "was given to the channel ivr, not to web"),
        (CUSTOMERS.token(aud=["web-page", "ivr-app"]), Unauthenticated, "several channels"),
        (AGENTS.token(), Unauthenticated, "The token in Steadylight-Customer is not a customer's."),
        (ADMINS.token(), Unauthenticated, "The token in Steadylight-Customer is not a customer's."),
        (CUSTOMERS.token(exp=1), Unauthenticated, "expired"),
        ("sl_000000000000_key", Unauthenticated, "neither a key of ours nor a token"),
        ("", Unauthenticated, "neither a key of ours nor a token"),
    ],
    ids=["another channel's", "two channels'", "an agent's", "an admin's", "expired", "a key", "empty"],
)
async def test_what_is_no_token_of_a_customer_of_the_channel_is_refused_beside_its_key(
    gate: Gate, house: Slices, token: str, error: type[SteadylightError], told: str
) -> None:
    who = await gate.key((await house.access.add_key("web", by=BY))[1])

    with pytest.raises(error, match=told):
        await gate.for_customer(who, token)


async def test_only_a_channels_key_speaks_for_a_customer(gate: Gate, house: Slices) -> None:
    _, admin = await house.access.add_key(None, by=BY)
    others = [await gate.key(admin), *[await gate.token(kit.token()) for kit in KITS]]

    for who in others:
        with pytest.raises(Forbidden, match="Steadylight-Customer goes beside a channel's key"):
            await gate.for_customer(who, CUSTOMERS.token("C-2"))


# Several servers


@pytest.fixture
def pair(mongod: EmbeddedDatabase) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two servers on one database."""
    settings = settings_for(mongod)
    one, other = LiveServer(settings), LiveServer(settings)
    yield one, other
    other.stop()
    one.stop()


class Hammer(threading.Thread):
    """Asks one server again and again with one key, and notes when each request began and ended, and its status."""

    def __init__(self, server: LiveServer, key: str) -> None:
        super().__init__(daemon=True)
        self._server, self._key = server, key
        self.seen: list[tuple[float, float, int]] = []
        self.is_over = False

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._server.url, headers=headers, verify=False, timeout=20) as client:
            while not self.is_over:
                began = time.monotonic()
                status = client.post("/graphql", json=QUERY).status_code
                self.seen.append((began, time.monotonic(), status))

    def ended_before(self, at: float) -> list[int]:
        """What came of the requests that had ended by then."""
        return [status for _, ended, status in self.seen if ended < at]

    def begun_after(self, at: float) -> list[int]:
        """What came of the requests that began then or later."""
        return [status for began, _, status in self.seen if began >= at]


def test_the_first_request_after_a_revocation_is_refused_by_every_server(
    pair: tuple[LiveServer, LiveServer],
) -> None:
    for _ in range(2):
        key = pair[0].key("web")
        hammers = [Hammer(server, key) for server in (*pair, *pair)]
        for hammer in hammers:
            hammer.start()
        time.sleep(0.6)
        wait_until("each has asked", lambda: all(hammer.seen for hammer in hammers))  # noqa: B023

        revoking = time.monotonic()
        pair[0].revoke(key)
        returned = time.monotonic()
        wait_until(
            "each has asked again",
            lambda: all(len(hammer.begun_after(returned)) > 3 for hammer in hammers),  # noqa: B023
        )
        for hammer in hammers:
            hammer.is_over = True
            hammer.join()

        for hammer in hammers:
            assert set(hammer.ended_before(revoking)) == {200}
            assert set(hammer.begun_after(returned)) == {401}


async def test_a_key_that_is_rotated_at_once_is_refused_by_who_does_not_know_yet(
    house: Slices, web: str, key: str
) -> None:
    other = house.beside()
    await other.gate.refresh()
    await other.gate.key(key)

    _, fresh = await house.access.rotate(web, overlap=timedelta(), by=BY)

    with pytest.raises(Unauthenticated):
        await other.gate.key(key)
    assert (await other.gate.key(fresh)).channel == web


# The worker


async def test_refreshing_goes_on_when_the_database_does_not(house: Slices, key: str) -> None:
    with capture_logs() as logs:
        async with refreshing(house.gate, every=0.01):
            for trouble, event in (
                (GONE, "credentials cannot be refreshed now; each request asks for itself"),
                (OUR_FAULT, "refreshing credentials failed; trying again"),
            ):
                async with house.failing("find", collection="credentials", **trouble):
                    await until(lambda: event in [one["event"] for one in logs])  # noqa: B023
            await house.gate.key(key)
            await end(house, key)
            await until(lambda: len(house.gate._remembered) == 0)
            with pytest.raises(Unauthenticated):
                await house.gate.key(key)


async def test_a_server_that_stops_without_its_database_stops_all_the_same(house: Slices, key: str) -> None:
    async with house.failing("update", "find", collection="credentials", **GONE):
        async with refreshing(house.gate, every=60):
            house.gate._used[id_of(key)] = AT


async def test_a_key_that_was_made_to_last_so_long_ends_by_itself(house: Slices, web: str) -> None:
    house.clock.at = AT
    credential, key = await house.access.add_key(web, lasting=timedelta(minutes=2), by=BY)
    assert credential.expires_at == AT + timedelta(minutes=2)
    assert (await house.gate.key(key)).channel == web

    house.clock.at = AT + timedelta(minutes=2)

    with pytest.raises(Unauthenticated):
        await house.gate.key(key)

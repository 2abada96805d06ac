"""The verbs, of both clients alike."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from steadylight import (
    Assurance,
    Conflict,
    Context,
    Forbidden,
    Invalid,
    Options,
    ProtocolError,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unreachable,
    Verdicts,
)
from steadylight.testing import FAST, Server
from tests.sdk.conftest import Connect, Light, done

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ready(number: int, **more: Any) -> dict[str, Any]:
    """A ready-made action."""
    id = f"01900000-0000-7000-8000-{number:012x}"
    return {"id": id, "sequence": number, "type": "a.b", "at": "2026-11-01T12:00:00Z", "contact": "k", **more}


async def test_an_action_carries_all_that_was_told(light: Light, server: Server) -> None:
    contact = light.customer(login="C-1", assurance="LOGIN").contact(key="session-1")
    id = contact.record(
        "case.opened",
        {"n": 1},
        at=AT,
        agent="a.singh",
        subject=("case", "77"),
        journey="j-1",
        traits={"plan": "fibre"},
    )
    await done(light.flush())

    (action,) = server.actions
    assert action.model_dump(mode="json") == {
        "id": id,
        "type": "case.opened",
        "at": "2026-11-01T12:00:00Z",
        "channel": "web",
        "actor": "AGENT",
        "sequence": action.sequence,
        "contact": "session-1",
        "journey": "j-1",
        "agent": "a.singh",
        "subject": {"kind": "case", "id": "77"},
        "properties": {"n": 1},
        "traits": {"plan": "fibre"},
        "identifiers": [{"kind": "login", "value": "C-1"}],
    }


class Shy:
    """Is neither true nor false, nor text."""

    def __bool__(self) -> bool:
        raise RuntimeError("no")

    __str__ = __bool__  # type: ignore[assignment]


@pytest.mark.parametrize(
    "bad", [{"subject": 5}, {"subject": Shy()}, {"traits": 5}, {"traits": Shy()}, {"at": 5}, {"id": Shy()}]
)
async def test_nothing_that_is_given_to_record_raises(light: Light, bad: dict[str, Any]) -> None:
    contact = light.contact("k")

    assert contact.record("a.b", **bad) is None
    assert contact.record("a.b", {"n": 1}, traits={}) is not None

    assert (light.stats().unfit, light.stats().recorded) == (1, 1)


async def test_the_rest_is_left_out_and_now(light: Light, server: Server) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    light.contact("k").record("a.b", actor="SYSTEM", subject={"kind": "case", "id": "1"})
    await done(light.flush())

    (action,) = server.actions
    assert (action.actor, action.agent, action.journey, action.properties) == ("SYSTEM", None, None, {})
    assert before <= action.at <= datetime.now(UTC)


async def test_the_same_id_is_stored_once(light: Light, server: Server) -> None:
    for _ in range(2):
        light.contact("k").record("a.b", at=AT, id="01900000-0000-7000-8000-000000000001")
    await done(light.flush())

    assert [action.id for action in server.actions] == ["01900000-0000-7000-8000-000000000001"]
    assert light.stats().refused == 1  # The sequence differs, so it is another fact under the same id.


async def test_a_contact_without_key_gets_one_of_its_own(light: Light) -> None:
    customer = light.customer(login="C-1", assurance="LOGIN")

    assert len({customer.contact().key, customer.contact().key, light.contact().key}) == 3
    assert customer.contact("k").key == light.contact("k").key == "k"


async def test_identifiers_come_by_name_or_listed(light: Light, server: Server) -> None:
    listed = [("email", "a@b.example"), ("phone", "+44 20 7946 0000", "CALLER_ID")]
    light.customer(customer_number="77", login=None, assurance="OTP", identifiers=listed).contact("k").record("a.b")
    context = await done(
        light.customer(login="C-1", identifiers=listed, assurance="OTP").contact("k").context(within=5)
    )

    assert server.actions[0].model_dump()["identifiers"] == (
        {"kind": "customer-number", "value": "77"},
        {"kind": "email", "value": "a@b.example"},
        {"kind": "phone", "value": "+442079460000"},
    )
    assert [claim.model_dump(mode="json") for claim in context.claims] == [
        {"kind": "phone", "value": "+442079460000", "assurance": "CALLER_ID"},
    ]


async def test_an_unknown_assurance_is_a_claim(light: Light, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    context = await done(light.customer(login="C-1", assurance="SURE").contact("k").context(within=5))

    assert [claim.assurance for claim in context.claims] == [Assurance.CLAIMED]
    assert "'SURE' is no assurance" in caplog.text


def token_of(subject: str) -> str:
    """A token that nobody signed: the in-memory server takes any at its word."""
    payload = base64.urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.x"


async def test_a_token_names_who_it_is_and_proves_it(connect: Connect, server: Server) -> None:
    light = connect(key=server.key("web", highest_assurance="CALLER_ID"))
    trusted = connect()
    trusted.customer(login="C-1", assurance="LOGIN").contact("before").record("plan.viewed")
    await done(trusted.flush())
    visit = light.customer(token=token_of("C-1")).contact("visit")

    own = await done(visit.context(within=5))
    claimed = await done(light.customer(login="C-2", token=token_of("C-1")).contact("other").context(within=5))

    assert [(one.kind, one.value) for one in own.identifiers] == [("login", "C-1")]
    assert (own.assurance, [action.type for action in own.actions]) == (Assurance.LOGIN, ["plan.viewed"])
    assert claimed.customer == own.customer
    assert [(one.value, one.assurance) for one in claimed.claims] == [("C-2", Assurance.CLAIMED)]


async def test_a_token_goes_with_reads_until_they_sign_out(light: Light, server: Server) -> None:
    contact = light.contact("call")
    contact.identify(token=token_of("C-1"))
    signed_in = await done(contact.context(within=5))
    contact.sign_out()
    signed_out = await done(contact.context(within=5))

    assert [(one.kind, one.value) for one in signed_in.identifiers] == [("login", "C-1")]
    assert (signed_out.customer, signed_out.assurance) == (None, Assurance.CLAIMED)


@pytest.mark.parametrize("token", ["eyJ...", "", "a.b.c", "a.e30.c"])
async def test_what_is_no_token_identifies_nobody(light: Light, token: str, caplog: pytest.LogCaptureFixture) -> None:
    light.customer(token=token).contact("k").record("plan.viewed")

    assert "token= is no JSON Web Token" in caplog.text


async def test_a_customer_verified_in_mid_call(light: Light, server: Server) -> None:
    contact = light.customer(customer_number="77", login="C-0").contact("call")
    contact.record("call.begun")
    contact.identify(login="C-1", assurance="LOGIN")
    contact.record("plan.viewed")
    contact.sign_out()
    contact.record("page.viewed")
    contact.end("RESOLVED")
    await done(light.flush())
    whoever = {"persona": contact.persona}

    assert contact.persona is not None
    assert [(action.type, {each.kind: each.value for each in action.identifiers}) for action in server.actions] == [
        ("call.begun", {"customer-number": "77", "login": "C-0"}),
        ("contact.identified", {"customer-number": "77", "login": "C-1"}),
        ("plan.viewed", {"customer-number": "77", "login": "C-1"}),
        ("contact.signed-out", {"customer-number": "77", "login": "C-1"}),
        ("page.viewed", whoever),
        ("contact.ended", whoever),
    ]
    assert server.actions[1].properties == {"kinds": ["login"]}
    assert server.actions[-1].properties == {"outcome": "RESOLVED"}


async def test_an_end_without_outcome(light: Light, server: Server) -> None:
    light.contact("k").end()
    await done(light.flush())

    assert [(action.type, action.properties) for action in server.actions] == [("contact.ended", {})]


async def test_a_context_shows_this_contacts_own_actions_and_other_channels(connect: Connect, server: Server) -> None:
    web, ivr = connect("web"), connect("ivr")
    web.customer(login="C-1", assurance="LOGIN").contact("s").record("plan.viewed", {"plan": "fibre"})
    await done(web.flush())
    contact = ivr.customer(login="C-1", assurance="LOGIN").contact("call")
    id = contact.record("call.begun")

    context = await done(contact.context(within=5))

    assert [(action.channel, action.type) for action in context.actions] == [
        ("ivr", "call.begun"),
        ("web", "plan.viewed"),
    ]
    assert context.actions[0].id == f"act_{id.replace('-', '')}"
    assert [(past.channel, past.key) for past in context.contacts] == [("ivr", "call"), ("web", "s")]
    assert context.customer is not None
    assert context.customer.startswith("cus_")
    assert (context.assurance, context.pending, context.stale) == (Assurance.LOGIN, False, False)


async def test_a_context_shows_no_more_than_recent(light: Light) -> None:
    contact = light.contact("k")
    for _ in range(3):
        contact.record("a.b")

    assert len((await done(contact.context(within=5, recent=2))).actions) == 2


async def test_a_read_presents_the_token_of_the_last_write(connect: Connect, server: Server) -> None:
    seen: list[str] = []

    def watch(request: httpx.Request) -> httpx.Response:
        seen.append(request.read().decode(errors="replace"))
        return server.transport.handle_request(request)

    light = connect(transport=httpx.MockTransport(watch))
    contact = light.contact("k")
    await done(contact.context(within=5))
    contact.record("a.b")
    await done(contact.context(within=5))

    assert '"after"' not in seen[0]
    assert '"after":"memory-1"' in seen[-1]


async def test_a_context_says_what_is_pending(connect: Connect, server: Server, patient: Options) -> None:
    def deaf(request: httpx.Request) -> httpx.Response:
        if b"FetchContext" in request.read():
            return server.transport.handle_request(request)
        return httpx.Response(503)

    light = connect(options=patient, transport=httpx.MockTransport(deaf))
    contact, other = light.contact("k"), light.contact("other")
    contact.record("a.b")

    context = await done(contact.context(within=0.2))

    assert (context.pending, context.actions) == (True, ())
    assert (await done(other.context(within=0.2))).pending is False


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ({"status": 401}, Unauthenticated),
        ({"status": 403}, Forbidden),
        ({"status": 200, "code": "INVALID"}, Invalid),
        ({"status": 429, "retry_after": 5}, RateLimited),
        ({"status": 503, "retry_after": 5}, Unavailable),
        ({"status": 200, "body": b"<html>"}, ProtocolError),
        ({"status": 200, "body": b'{"data": {"contextDocument": {"at": "soon"}}}'}, ProtocolError),
        ({"status": 200, "body": b'{"data": {}}'}, ProtocolError),
    ],
)
async def test_reading_raises_what_happened(
    light: Light, server: Server, bad: dict[str, Any], kind: type[SteadylightError]
) -> None:
    server.fail(**bad)

    with pytest.raises(kind) as caught:
        await done(light.contact("k").context(within=0.5))

    assert type(caught.value) is kind
    assert caught.value.retry_after == bad.get("retry_after")


async def test_reading_tries_again_while_time_remains(light: Light, server: Server) -> None:
    server.fail(503, times=2)

    assert (await done(light.contact("k").context(within=5))).customer is None


async def test_reading_from_a_server_that_is_down(light: Light, server: Server) -> None:
    server.down()

    with pytest.raises(Unreachable, match="cannot be reached: the test took the server down"):
        await done(light.contact("k").context(within=0.3))


async def test_a_last_known_context_stands_in_when_the_server_is_away(light: Light, server: Server) -> None:
    customer = light.customer(login="C-1", assurance="LOGIN")
    contact = customer.contact("k")
    contact.record("a.b")
    fresh = await done(contact.context(within=5))
    server.down()
    contact.record("c.d")

    stale: Context = await done(customer.contact("k").context(within=0.1, stale_ok=True))

    assert stale == fresh.model_copy(update={"stale": True, "pending": True})


async def test_nobody_elses_context_stands_in(light: Light, server: Server) -> None:
    contact = light.customer(login="C-1", assurance="LOGIN").contact("k")
    await done(contact.context(within=5))
    server.down()

    for other in (
        light.customer(login="C-1").contact("k"),
        light.customer(login="C-2", assurance="LOGIN").contact("k"),
        light.customer(login="C-1", assurance="LOGIN").contact("other"),
        light.contact("k"),
    ):
        with pytest.raises((Unreachable, Timeout)):
            await done(other.context(within=0.05, stale_ok=True))


async def test_a_refused_key_is_not_covered_by_a_last_known_context(light: Light, server: Server) -> None:
    contact = light.contact("k")
    await done(contact.context(within=5))
    server.fail(403)

    with pytest.raises(Forbidden):
        await done(contact.context(within=1, stale_ok=True))


async def test_last_known_contexts_are_bounded(light: Light, server: Server) -> None:
    first, last = light.contact("first"), light.contact("last")
    await done(first.context(within=5))
    for number in range(255):
        light._shared.known.put(number, Context(at=AT))
    await done(last.context(within=5))
    server.down()

    assert (await done(last.context(within=0.1, stale_ok=True))).stale
    with pytest.raises((Unreachable, Timeout)):
        await done(first.context(within=0.05, stale_ok=True))


async def test_graphql_answers_with_data(light: Light, server: Server) -> None:
    assert await done(light.graphql("{ __typename }")) == {"__typename": "Query"}


async def test_graphql_is_never_repeated(light: Light, server: Server) -> None:
    server.fail(503)

    with pytest.raises(Unavailable):
        await done(light.graphql("{ __typename }"))
    with pytest.raises(Invalid, match="own operations only"):
        await done(light.graphql("mutation { x }", {"a": 1}))


async def test_an_admin_registers_a_channel(connect: Connect, server: Server) -> None:
    admin = connect(key=server.admin_key)

    key = await done(admin.register_channel("branch", "ASSISTED", "IN_PERSON"))

    check = await done(connect(key=key).check())
    assert (check.channel, check.highest_assurance) == ("branch", Assurance.IN_PERSON)
    with pytest.raises(Conflict, match="There is a channel called branch already"):
        await done(admin.register_channel("branch", "SELF_SERVICE"))


async def test_a_channel_registers_nothing(light: Light) -> None:
    with pytest.raises(Forbidden, match="channels:register"):
        await done(light.register_channel("branch", "ASSISTED"))


async def test_a_check_finds_all_well(light: Light, server: Server) -> None:
    check = await done(light.check())

    assert check.ok
    assert (check.url, check.channel, check.problems) == ("http://steadylight.test/graphql", "web", ())
    assert check.scopes == ("actions:write", "customers:read")
    assert check.highest_assurance == Assurance.LOGIN
    assert abs(check.clock_skew) < 1
    assert 0 <= check.latency < 1


@pytest.mark.parametrize(
    ("off", "told"),
    [
        (45, "This machine's clock is 45 s ahead of the server's. Synchronise it (NTP)."),
        (-45, "This machine's clock is 45 s behind the server's. Synchronise it (NTP)."),
    ],
)
async def test_a_check_finds_a_clock_that_is_off(connect: Connect, server: Server, off: int, told: str) -> None:
    light = connect(options=Options(now=lambda: datetime.now(UTC) + timedelta(seconds=off)))

    check = await done(light.check())

    assert (check.ok, check.problems) == (False, (told,))
    assert round(check.clock_skew) == off


async def test_a_check_finds_an_admin_key(connect: Connect, server: Server) -> None:
    check = await done(connect(key=server.admin_key).check())

    assert check.problems == (
        "The key is an admin's: it cannot record. Make a channel's: `steadylight channel add NAME`.",
    )


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"status": 401}, "The server does not know this key."),
        ({"status": 200, "body": b"<html>"}, "STEADYLIGHT_URL leads to http://steadylight.test/graphql."),
        ({"status": 503}, "The server answered UNAVAILABLE: Failed by the test."),
        ({"status": 200, "body": b'{"data": {"viewer": null}}'}, "Update the SDK or the server."),
        ({"status": 200, "body": b'{"data": {"viewer": {"serverTime": "now"}}}'}, "Update the SDK or the server."),
    ],
)
async def test_a_check_says_what_to_do(light: Light, server: Server, bad: dict[str, Any], told: str) -> None:
    server.fail(**bad)

    check = await done(light.check())

    assert not check.ok
    assert told in check.problems[0]


async def test_a_check_of_a_server_that_is_down(light: Light, server: Server) -> None:
    server.down()

    (problem,) = (await done(light.check())).problems

    assert problem.endswith("Is the server running, and is STEADYLIGHT_URL right?")


async def test_delivering_tells_what_became_of_each(light: Light, server: Server) -> None:
    again = ready(1)
    other = ready(2, type="other")
    verdicts: Verdicts = await done(light.deliver([ready(1), again, ready(2), other, ready(3, contact=None), ready(4)]))

    assert (verdicts.stored, verdicts.duplicate, verdicts.refused, verdicts.retry) == (3, 1, 2, 0)
    assert [(each.index, each.id, each.verdict, each.code) for each in verdicts.exceptions] == [
        (3, other["id"], "REFUSED", "CONFLICT"),
        (4, ready(3)["id"], "REFUSED", "INVALID"),
    ]
    assert [(notice.index, notice.code) for notice in verdicts.warnings] == [(0, "NEW_TYPE")]
    assert verdicts.token == "memory-3"
    assert len(server.actions) == 3


async def test_delivering_keeps_the_places_of_the_iterable(light: Light) -> None:
    actions = [ready(number, **({"type": ""} if number in (3, 1_700) else {})) for number in range(2_000)]

    verdicts = await done(light.deliver(actions))

    assert sorted(each.index for each in verdicts.exceptions) == [3, 1_700]
    assert (verdicts.stored, verdicts.refused, verdicts.sent) == (1_998, 2, 2_000)


async def test_delivering_reads_no_further_than_it_sends(connect: Connect, server: Server) -> None:
    light = connect(options=Options(batch_count=10, in_flight=2))
    read = 0

    def endless() -> Iterator[Mapping[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield ready(read)

    class Enough(Exception):
        pass

    def watch(verdicts: Verdicts) -> None:
        if verdicts.stored >= 50:
            raise Enough

    with pytest.raises(Enough):
        await done(light.deliver(endless(), on_progress=watch))
    assert read <= 80


async def test_delivering_tells_of_progress(light: Light) -> None:
    seen: list[int] = []

    actions = (ready(number) for number in range(1_200))
    await done(light.deliver(actions, on_progress=lambda so_far: seen.append(so_far.stored)))

    assert (len(seen), seen, seen[-1]) == (3, sorted(seen), 1_200)


async def test_delivering_outlasts_a_bad_day(light: Light, server: Server) -> None:
    server.fail(503, times=3)
    server.hesitate(5)

    verdicts = await done(light.deliver(ready(number) for number in range(1_200)))

    assert (verdicts.stored, verdicts.sent) == (1_200, 1_200)


async def test_delivering_stops_when_the_time_is_up(connect: Connect, server: Server) -> None:
    light = connect(options=Options(in_flight=1))
    server.down()
    began = time.monotonic()

    verdicts = await done(light.deliver((ready(number) for number in range(600)), within=0.2))

    assert (verdicts.stored, verdicts.retry) == (0, 500)
    assert time.monotonic() - began < 2


async def test_delivering_with_a_refused_key_raises(light: Light, server: Server) -> None:
    server.fail(401, times=2)

    with pytest.raises(Unauthenticated):
        await done(light.deliver(ready(number) for number in range(2_000)))


async def test_one_worker_failing_wakes_the_other(connect: Connect, server: Server) -> None:
    slow = Options(backoff_base=600.0, backoff_ceiling=600.0, jitter=lambda: 1.0)
    light = connect(options=slow)
    server.fail(503)
    server.fail(403)
    began = time.monotonic()

    with pytest.raises(Forbidden):
        await done(light.deliver(ready(number) for number in range(2_000)))

    assert time.monotonic() - began < 5


async def test_an_error_of_the_iterable_is_raised(light: Light, server: Server) -> None:
    def broken() -> Iterator[Mapping[str, Any]]:
        yield ready(1)
        raise LookupError("torn file")

    with pytest.raises(LookupError, match="torn file"):
        await done(light.deliver(broken()))


async def test_what_cannot_be_encoded_is_refused(light: Light, server: Server) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop

    verdicts = await done(light.deliver([ready(1, properties=loop), ready(2)]))

    assert (verdicts.stored, verdicts.refused) == (1, 1)
    assert [(each.index, each.code) for each in verdicts.exceptions] == [(0, "INVALID")]


async def test_a_thousand_refusals_are_remembered_and_all_counted(light: Light, server: Server) -> None:
    verdicts = await done(light.deliver(ready(number, type="") for number in range(1_500)))

    assert (verdicts.refused, len(verdicts.exceptions)) == (1_500, 1_000)


async def test_delivering_nothing(light: Light) -> None:
    assert await done(light.deliver([])) == Verdicts()


async def test_a_read_after_delivering_presents_its_token(light: Light) -> None:
    verdicts = await done(light.deliver([ready(1)]))

    assert light._shared.recorder.token == verdicts.token == "memory-1"


def test_a_client_in_a_with_is_closed(server: Server) -> None:
    with server.client() as light:
        light.contact("k").record("a.b")

    assert len(server.actions) == 1
    assert light.contact("k").record("a.b") is None


async def test_an_async_client_in_a_with_is_closed(server: Server) -> None:
    async with server.async_client() as light:
        light.contact("k").record("a.b")

    assert len(server.actions) == 1
    assert light.contact("k").record("a.b") is None


async def test_a_context_from_a_server_that_hangs_is_over_in_time(server: Server) -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async with server.async_client() as light:
        light._transport._transport = httpx.MockTransport(hang)
        light._transport.start_over()
        began = time.monotonic()

        with pytest.raises(Timeout, match="did not answer in time"):
            await light.contact("k").context(within=0.1)

        assert time.monotonic() - began < 1


def test_recording_is_thread_safe_with_identify(server: Server) -> None:
    with server.client(options=FAST) as light:
        contact = light.contact("k")
        threads = [
            threading.Thread(target=lambda n=n: contact.identify(login=f"C-{n}", assurance="LOGIN")) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [len(action.identifiers) for action in server.actions] == [1] * 8

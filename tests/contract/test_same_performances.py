"""Capabilities, by the real server and by the one for embedders' tests, to either client."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from steadylight import Conflict, Forbidden, Invalid, NotFound, Unavailable
from steadylight import testing as twin
from steadylight.testing import Server
from steadylight_server import capabilities as real
from tests.conftest import LiveServer, settings_for
from tests.contract.conftest import House, Light, aside, done

BLUEPRINT = """
version: 1
channels:
  web: {kind: SELF_SERVICE}
  sms: {kind: AUTOMATED_AGENT}
  ivr: {kind: AUTOMATED_AGENT}
  branch: {kind: ASSISTED}
capabilities:
  statement.view:
    label: See a statement
    implementation: {function: view}
    assurance: OTP
    channels:
      sms: {not_feasible: A statement does not fit into a message.}
      ivr: {limited: It is sent by SMS.}
  card.block: {implementation: {function: refuse}}
  money.send: {implementation: {function: get_lost}}
  report.order: {implementation: {function: accept}}
  bank.ask: {implementation: {function: be_away}}
  visit.book: {implementation: {function: view}, assurance: CLAIMED}
"""
CALLS: list[Any] = []


def view(input: Mapping[str, Any]) -> Mapping[str, Any]:
    CALLS.append(dict(input))
    return {"url": f"/statements/{input['period']}", "call": len(CALLS)}


def _real(failure: Exception) -> Callable[[real.Call], Mapping[str, Any]]:
    def fail(call: real.Call) -> Mapping[str, Any]:
        CALLS.append(call.key)
        raise failure

    return fail


def _twin(failure: Exception) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    def fail(input: Mapping[str, Any]) -> Mapping[str, Any]:
        CALLS.append(input)
        raise failure

    return fail


async def _accept(call: real.Call) -> real.Answer:
    return real.Answer(handle="job-7")


@pytest.fixture(scope="module")
def bank(mongod: Any) -> Iterator[LiveServer]:
    """A real server that performs."""
    functions = {
        "view": lambda call: view(call.input),
        "refuse": _real(real.Failed("NO_CARD", "There is no such card.")),
        "get_lost": _real(real.Unknown("no answer")),
        "accept": _accept,
        "be_away": _real(real.NotDone("connection refused")),
    }
    live = LiveServer(settings_for(mongod), blueprint=BLUEPRINT, functions=functions)
    for channel, kind in (("web", "SELF_SERVICE"), ("sms", "AUTOMATED_AGENT"), ("ivr", "AUTOMATED_AGENT")):
        aside(partial(live.key, channel, kind))
    yield live
    live.stop()


@pytest.fixture(params=["real", "memory"])
def server_of_either_sort(request: pytest.FixtureRequest) -> LiveServer | Server:
    if request.param == "real":
        return request.getfixturevalue("bank")
    server = Server()
    server.capability(
        "statement.view",
        view,
        assurance="OTP",
        not_feasible={"sms": "A statement does not fit into a message."},
        limited={"ivr": "It is sent by SMS."},
    )
    server.capability("card.block", _twin(twin.Failed("NO_CARD", "There is no such card.")))
    server.capability("money.send", _twin(twin.Unknown("no answer")))
    server.capability("report.order", lambda input: twin.Accepted())
    server.capability("bank.ask", _twin(twin.NotDone("connection refused")))
    server.capability("visit.book", view, assurance="CLAIMED")
    return server


def contact(light: Light, name: str, key: str, assurance: str = "LOGIN") -> Any:
    return light.customer(login=name, assurance=assurance).contact(key=f"{name}-{key}")


async def perform(contact: Any, capability: str = "statement.view", period: str = "2026-10", **given: Any) -> Any:
    given = {"key": "k-1", "within": 5, **given}
    return await done(contact.perform(capability, {"period": period}, **given))


async def told(contact: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """What the timeline says of it, once it does."""
    context = await done(contact.context(within=5))
    return [(one.type, one.properties) for one in context.actions if one.type.startswith("capability.")]


async def test_one_key_is_done_once_and_answered_alike_in_every_channel(house: House, name: str) -> None:
    web, ivr = contact(house.connect("web"), name, "w"), contact(house.connect("ivr", "AUTOMATED_AGENT"), name, "i")
    before = len(CALLS)

    first = await perform(web)
    second = await perform(ivr)

    assert (first.state, first.done, first.failure, first.repeated) == ("DONE", True, None, False)
    assert first.output == {"url": "/statements/2026-10", "call": before + 1}
    assert (first.capability, first.key, first.channel, first.attempt) == ("statement.view", "k-1", "web", 1)
    assert first.id.startswith("prf_")
    assert first.ended_at is not None
    assert second == first.model_copy(update={"repeated": True})
    assert len(CALLS) == before + 1
    about = {"capability": "statement.view", "performance": first.id, "key": "k-1", "state": "DONE"}
    assert await told(web) == [("capability.performed", about)]


async def test_another_input_under_the_same_key_is_a_conflict(house: House, name: str) -> None:
    web = contact(house.connect("web"), name, "w")
    await perform(web)

    with pytest.raises(Conflict, match="'k-1' was used for this with another input"):
        await perform(web, period="2026-11")

    other = await perform(web, period="2026-11", key="k-2")
    assert (other.repeated, other.output["url"]) == (False, "/statements/2026-11")


async def test_who_proves_two_identifiers_at_once_is_one_customer_already(house: House, name: str) -> None:
    number = f"+4930{uuid4().int % 10**8:08d}"
    web = house.connect("web")
    by_phone = web.customer(phone=number, assurance="OTP").contact(key=f"{name}-1")
    by_both = web.customer(login=name, phone=number, assurance="LOGIN").contact(key=f"{name}-2")

    first = await perform(by_phone)
    again = await perform(by_both)

    assert (again.id, again.repeated) == (first.id, True)


async def test_what_was_done_in_a_contact_is_not_done_again_by_who_has_signed_out(house: House, name: str) -> None:
    light = house.connect("web")
    known, unknown = contact(light, name, "w"), light.contact(f"{name}-w")
    unknown.record("plan.viewed")
    await perform(known, "visit.book")
    before = len(CALLS)

    for period in ("2026-10", "2026-11"):
        with pytest.raises(Forbidden, match="used in this contact by who had signed in"):
            await perform(unknown, "visit.book", period)

    assert len(CALLS) == before
    another = light.customer(login=f"{name}-b", assurance="LOGIN").contact(f"{name}-w")
    assert not (await perform(another, "visit.book")).repeated
    assert not (await perform(unknown, "visit.book", key="k-2")).repeated
    assert not (await perform(light.contact(f"{name}-w2"), "visit.book")).repeated
    assert len(await told(known)) == 1


async def test_what_somebody_began_unknown_is_theirs_when_they_are_known_and_nobody_s_after(
    house: House, name: str
) -> None:
    light = house.connect("web")
    known, unknown = contact(light, name, "w"), light.contact(f"{name}-w")
    first = await perform(unknown, "visit.book")

    again = await perform(known, "visit.book")
    known.record("plan.viewed")
    assert await done(light.flush(5)) == 0

    assert (again.id, again.repeated) == (first.id, True)
    with pytest.raises(Forbidden, match="used in this contact by who had signed in"):
        await perform(unknown, "visit.book")


async def test_who_proves_nothing_where_nobody_was_unknown_has_keys_of_their_own(house: House, name: str) -> None:
    light = house.connect("web")
    known, unknown = contact(light, name, "w"), light.contact(f"{name}-w")
    theirs = await perform(known, "visit.book")

    own = await perform(unknown, "visit.book")
    again = await perform(unknown, "visit.book")

    assert (own.repeated, own.id == theirs.id) == (False, False)
    assert (again.repeated, again.id) == (True, own.id)


async def test_under_an_app_s_persona_a_key_is_refused_in_the_contact_where_it_was_used(
    house: House, name: str
) -> None:
    light = house.connect("web")
    known = light.customer(login=name, assurance="LOGIN").contact(f"{name}-w", persona=name)
    await perform(known, "visit.book")

    with pytest.raises(Forbidden, match="used in this contact by who had signed in"):
        await perform(light.contact(f"{name}-w", persona=name), "visit.book")

    assert not (await perform(light.contact(f"{name}-w2", persona=name), "visit.book")).repeated


async def test_a_key_is_each_customer_s_own(house: House, name: str) -> None:
    light = house.connect("web")

    done = [await perform(contact(light, f"{name}-{who}", "w")) for who in ("a", "b")]

    assert [one.repeated for one in done] == [False, False]
    assert done[0].id != done[1].id


@pytest.mark.parametrize(
    ("capability", "state", "failure", "type"),
    [
        ("card.block", "FAILED", ("NO_CARD", "There is no such card."), "capability.performed"),
        (
            "money.send",
            "UNKNOWN",
            ("NO_ANSWER", "What does it did not answer. It may have been done, or not."),
            "capability.performed",
        ),
        ("report.order", "ACCEPTED", None, "capability.accepted"),
    ],
)
async def test_what_is_no_output_is_told_to_every_channel_alike_and_never_repeated(
    house: House, name: str, capability: str, state: str, failure: tuple[str, str] | None, type: str
) -> None:
    web, ivr = contact(house.connect("web"), name, "w"), contact(house.connect("ivr", "AUTOMATED_AGENT"), name, "i")
    before = len(CALLS)

    first = await perform(web, capability)
    second = await perform(ivr, capability)

    assert (first.state, first.output, first.done) == (state, None, False)
    assert (first.failure and (first.failure.code, first.failure.message)) == failure
    assert second == first.model_copy(update={"repeated": True})
    assert len(CALLS) - before <= 1
    ((shown, properties),) = await told(web)
    assert (shown, properties["state"], properties.get("code")) == (type, state, failure and failure[0])


async def test_where_nothing_was_done_the_error_says_so_and_the_key_is_free(house: House, name: str) -> None:
    web = contact(house.connect("web"), name, "w")

    for period in ("2026-10", "2026-11"):
        with pytest.raises(Unavailable, match="Nothing was done"):
            await perform(web, "bank.ask", period, within=0.5)

    assert await told(web) == []


async def test_who_may_not_is_told_why_and_the_gap_is_on_the_timeline_once(house: House, name: str) -> None:
    sms = contact(house.connect("sms", "AUTOMATED_AGENT"), name, "s")
    unsure = contact(house.connect("web"), name, "u", "CLAIMED")

    for _ in range(2):
        with pytest.raises(Forbidden, match="A statement does not fit into a message"):
            await perform(sms)
    with pytest.raises(Forbidden, match="proven who they are by OTP"):
        await perform(unsure)
    with pytest.raises(NotFound, match="declares no capability 'magic'"):
        await perform(sms, "magic")
    for wrong in ({"key": ""}, {"key": "k" * 201}):
        with pytest.raises(Invalid, match="key: 1 to 200 characters"):
            await perform(contact(house.connect("web"), name, "w"), **wrong)

    gap = {"capability": "statement.view", "why": "NOT_FEASIBLE", "reason": "A statement does not fit into a message."}
    assert await told(sms) == [("capability.refused", gap)]


async def test_each_channel_is_told_what_it_may_offer_and_why_not_the_rest(house: House, name: str) -> None:
    async def offered(channel: str, kind: str, assurance: str) -> dict[str, Any]:
        listed = await done(contact(house.connect(channel, kind), name, channel, assurance).capabilities(within=5))
        assert [one.name for one in listed] == sorted(one.name for one in listed)
        return {one.name: one for one in listed}

    web = await offered("web", "SELF_SERVICE", "LOGIN")
    sms = await offered("sms", "AUTOMATED_AGENT", "LOGIN")
    ivr = await offered("ivr", "AUTOMATED_AGENT", "OTP")

    def of(listed: Mapping[str, Any], name: str) -> tuple[bool, str | None, str | None]:
        return listed[name].offered, listed[name].why, listed[name].reason

    assert of(web, "statement.view") == (True, None, None)
    assert of(sms, "statement.view") == (False, "NOT_FEASIBLE", "A statement does not fit into a message.")
    assert of(ivr, "statement.view") == (True, "LIMITED", "It is sent by SMS.")
    assert of(ivr, "card.block") == (
        False,
        "ASSURANCE_TOO_LOW",
        "It takes somebody who has proven who they are by LOGIN.",
    )
    assert (web["statement.view"].assurance, web["statement.view"].timeout) == ("OTP", 10.0)
    assert (web["statement.view"].reversible, web["statement.view"].input) == (False, {"type": "object"})


async def test_an_employee_performs_it_for_the_customer(house: House, name: str) -> None:
    desk = contact(house.connect("branch", "ASSISTED"), name, "b", "IN_PERSON")

    await perform(desk, agent="a.singh")

    context = await done(desk.context(within=5))
    assert [(one.type, one.actor, one.agent) for one in context.actions] == [
        ("capability.performed", "AGENT", "a.singh")
    ]


async def test_what_was_recorded_before_is_delivered_first(house: House, name: str) -> None:
    light = house.connect("web")
    web = contact(light, name, "w")
    web.record("plan.viewed")

    await perform(web)

    context = await done(web.context(within=5))
    assert [one.type for one in context.actions] == ["capability.performed", "plan.viewed"]
    assert light.stats().undelivered == 0


async def test_what_is_done_for_a_journey_is_on_its_timeline(house: House, name: str) -> None:
    web, ivr = contact(house.connect("web"), name, "w"), contact(house.connect("ivr", "AUTOMATED_AGENT"), name, "i")
    move = await done(web.journey("move-house", key="flat-7", within=5))

    first = await perform(web, journey=move.id)
    again = await perform(ivr)

    assert (first.journey, again.journey, again.id) == (move.id, move.id, first.id)
    actions = (await done(web.context(within=5))).actions
    assert {one.type for one in actions if one.journey == move.id} == {"journey.started", "capability.performed"}


async def test_another_journey_under_the_same_key_is_a_conflict(house: House, name: str) -> None:
    web = contact(house.connect("web"), name, "w")
    move, other = [await done(web.journey("move-house", key=key, within=5)) for key in ("flat-7", "flat-8")]
    await perform(web, journey=move.id)
    await perform(web, key="k-2")

    for key in ("k-1", "k-2"):
        with pytest.raises(Conflict, match=f"{key!r} was used for this for another journey, or for none"):
            await perform(web, key=key, journey=other.id)

    assert (await perform(web, journey=move.id)).repeated


async def test_a_gap_that_is_met_in_a_journey_is_on_its_timeline(house: House, name: str) -> None:
    sms = contact(house.connect("sms", "AUTOMATED_AGENT"), name, "s")
    move = await done(sms.journey("move-house", within=5))

    with pytest.raises(Forbidden):
        await perform(sms, journey=move.id)

    actions = (await done(sms.context(within=5))).actions
    assert [one.journey for one in actions if one.type == "capability.refused"] == [move.id]


async def test_nothing_is_performed_for_a_journey_of_somebody_else(house: House, name: str) -> None:
    light = house.connect("web")
    web = contact(light, name, "w")
    theirs = await done(contact(light, f"{name}-other", "w").journey("move-house", within=5))
    before = len(CALLS)

    for id in (theirs.id, f"jrn_{uuid4().hex}"):
        with pytest.raises(NotFound, match="There is no such journey"):
            await perform(web, journey=id)

    assert len(CALLS) == before
    assert await told(web) == []

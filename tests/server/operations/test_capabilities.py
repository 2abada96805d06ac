"""Performing: one key of one customer is one deed, whoever asks, through whatever profile, and whatever crashes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from steadylight_server.access.models import CHANNEL_SCOPES, Scope, Viewer
from steadylight_server.capabilities import Answer, Call, Failed, NotDone, Progress, Unknown, capability
from steadylight_server.capabilities import attempts as attempts_module
from steadylight_server.capabilities import service as service_module
from steadylight_server.capabilities.models import (
    Binding,
    Capability,
    Failure,
    FunctionBinding,
    Offer,
    Performance,
    State,
    Why,
)
from steadylight_server.capabilities.schemas import Schema
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from steadylight_server.operations.capabilities import Performed, Withheld
from steadylight_server.operations.models import Asker
from steadylight_server.timeline.models import Action
from tests.factories import action, batch, login, viewer
from tests.server.conftest import Slices

CHANNELS = [viewer(name) for name in ("web", "app", "sms", "shop")]
WEB, APP, SMS, SHOP = CHANNELS
REPORTER = viewer("bank", scopes=CHANNEL_SCOPES | {Scope.CAPABILITIES_REPORT})
STATEMENT = Capability(
    "statement.view",
    FunctionBinding("view"),
    version=1,
    label="See a statement",
    input=Schema(
        {
            "type": "object",
            "properties": {"period": {"type": "string", "pattern": r"^\d{4}-\d\d$"}, "copies": {"type": "integer"}},
            "required": ["period"],
            "additionalProperties": False,
        }
    ),
    output=Schema({"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}),
    timeout=timedelta(seconds=5),
)
OCTOBER = {"period": "2026-10"}


def somebody(assurance: str = "LOGIN") -> dict[str, str]:
    return login(uuid4().hex, assurance)


def phone(assurance: str = "OTP") -> dict[str, str]:
    return {"kind": "phone", "value": f"+4930{uuid4().int % 10**9:09d}", "assurance": assurance}


def asker(*identifiers: dict[str, str], contact: str | None = "c-1", agent: str | None = None) -> Asker:
    return Asker(uuid4(), identifiers, contact, agent)


def declare(slices: Slices, function: Callable[[Call], Any], like: Capability = STATEMENT, **fields: Any) -> Capability:
    """A capability of its own that the function implements."""
    name = f"f{id(function)}"
    slices.functions[name] = function
    declared = replace(like, implementation=FunctionBinding(name), **fields)
    slices.capabilities.declared.declare({**slices.capabilities.declared.declared, declared.name: declared})
    return declared


async def perform(
    slices: Slices,
    who: dict[str, str],
    key: str = "k-1",
    input: Any = OCTOBER,
    by: Viewer = WEB,
    *,
    within: float | None = None,
    contact: str = "c-1",
    name: str = STATEMENT.name,
) -> Performed:
    done = await slices.performing.perform(by, asker(who, contact=contact), name, input, key, within=within)
    assert done.token
    return done.result


async def told_of(slices: Slices, performance: Performance) -> list[tuple[str, Mapping[str, Any]]]:
    """Type and properties of each action that tells of it."""
    found = await slices.documents("actions", **{"properties.performance": performance.name})
    return [(one["type"], one["properties"]) for one in sorted(found, key=lambda one: one["order"])]


class Bank:
    """A receiver with a store of its own. It counts what was really done, by key, and honours keys if told so."""

    def __init__(self, *, honours: bool) -> None:
        self.effects: list[str] = []
        self.calls: list[Call] = []
        self._answers: dict[str, dict[str, Any]] = {}
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

        @capability(honours_keys=honours)
        async def view(call: Call) -> Mapping[str, Any]:
            self.calls.append(call)
            if honours and call.key in self._answers:
                return self._answers[call.key]
            self.effects.append(call.key)
            self._answers[call.key] = {"url": f"/statements/{len(self.effects)}"}
            self.started.set()
            await self.go_on.wait()
            return self._answers[call.key]

        self.view = view


@asynccontextmanager
async def hasty_leases(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(slices.stores.performances, "lease_seconds", 0.2)
    yield


async def settled(slices: Slices, id: UUID) -> Performance:
    """The performance when it is over and on the timeline, looked after meanwhile as by a worker."""
    for _ in range(200):
        await slices.performing.catch_up()
        one = await slices.capabilities.one(id)
        if one.state.is_over and not await slices.documents("performances", _id=id, deeds_at={"$exists": True}):
            return one
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to an end")


async def test_what_is_performed_in_one_channel_is_answered_alike_in_every_other(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)

    first = await perform(house, who)
    others = [await perform(house, who, by=channel, contact=f"c-{channel.channel}") for channel in (APP, SMS, SHOP)]

    one = first.performance
    assert (one.state, one.output, one.failure, one.channel) == (State.DONE, {"url": "/statements/1"}, None, "web")
    assert (one.capability, one.key, one.label, one.attempt) == ("statement.view", "k-1", "See a statement", 1)
    assert one.ended_at is not None
    assert not first.is_repeated
    assert [(other.performance, other.is_repeated) for other in others] == [(one, True)] * 3
    assert bank.effects == [one.name]
    about = {"capability": "statement.view", "performance": one.name, "key": "k-1", "state": "DONE"}
    assert await told_of(house, one) == [("capability.performed", about)]


async def test_four_channels_at_once_at_two_servers_do_it_once(house: Slices) -> None:
    """Under two profiles of one customer, of whom no server has heard before."""
    bank, beside = Bank(honours=False), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view, assurance=Assurance.OTP)
    for _ in range(10):
        bank.effects.clear()
        who, number = somebody(), phone()
        await house.ingest.record(WEB, batch(action(who, number)))

        done = await asyncio.gather(
            *(
                perform(slices, identifier, by=channel, contact=f"c-{channel.channel}")
                for slices, identifier, channel in zip(
                    (house, beside, house, beside), (who, number, number, who), CHANNELS, strict=True
                )
            )
        )

        first = next(one.performance for one in done if not one.is_repeated)
        assert [one.performance for one in done] == [first] * 4
        assert sorted(one.is_repeated for one in done) == [False, True, True, True]
        assert bank.effects == [first.name]
        assert len(await told_of(house, first)) == 1


async def test_another_input_under_the_same_key_is_a_conflict(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)
    done = await perform(house, who, input={"period": "2026-10", "copies": 1})

    same = await perform(house, who, input={"copies": 1.0, "period": "2026-10"}, by=APP)
    with pytest.raises(Conflict, match="'k-1' was used for this with another input"):
        await perform(house, who, input={"period": "2026-11"}, by=APP)

    assert same.performance == done.performance
    assert len(bank.effects) == 1


async def test_a_key_is_each_customer_s_own_and_each_capability_s(house: Slices) -> None:
    bank, one, other = Bank(honours=True), somebody(), somebody()
    declare(house, bank.view)
    declare(house, bank.view, name="statement.send")

    done = [await perform(house, one), await perform(house, other), await perform(house, one, name="statement.send")]

    assert len({each.performance.id for each in done}) == 3
    assert len(set(bank.effects)) == 3  # what the receiver knows it by is nobody else's, too
    assert {call.given_key for call in bank.calls} == {"k-1"}


async def test_after_a_merge_what_either_did_is_done(house: Slices) -> None:
    bank, one, other = Bank(honours=True), somebody(), phone()
    declare(house, bank.view, assurance=Assurance.OTP)
    before = [await perform(house, one, "a"), await perform(house, other, "b"), await perform(house, one, "c")]
    both = [before[2], await perform(house, other, "c", {"period": "2026-09"})]

    await house.ingest.record(WEB, batch(action(one, other)))

    assert (await perform(house, other, "a")).performance == before[0].performance
    assert (await perform(house, one, "b")).performance == before[1].performance
    # Both had used the key, each for something else: each is told of their own.
    assert (await perform(house, other, "c")).performance == both[0].performance
    assert (await perform(house, one, "c", {"period": "2026-09"})).performance == both[1].performance
    with pytest.raises(Conflict):
        await perform(house, one, "c", {"period": "2026-08"})
    assert len(bank.effects) == 4


async def test_what_somebody_began_unknown_is_theirs_when_they_are_known(house: Slices) -> None:
    bank, contact = Bank(honours=True), f"c-{uuid4().hex}"
    declare(house, bank.view, assurance=Assurance.CLAIMED)
    known = somebody()

    before = await perform(house, somebody("CLAIMED"), contact=contact)
    after = await perform(house, known, contact=contact)

    assert after.performance == before.performance
    assert after.is_repeated


async def test_who_has_proven_nothing_is_not_told_what_the_customer_did(house: Slices) -> None:
    bank, who, contact = Bank(honours=True), somebody(), f"c-{uuid4().hex}"
    declare(house, bank.view, assurance=Assurance.CLAIMED)
    done = await perform(house, who, contact=contact)

    other = await perform(house, {**who, "assurance": "CLAIMED"}, contact=f"{contact}-2")

    assert other.performance.id != done.performance.id
    assert bank.calls[1].customer.identifiers == ()


async def test_the_implementation_is_told_for_whom_and_how_sure(house: Slices) -> None:
    bank, who, number = Bank(honours=True), somebody(), phone()
    declare(house, bank.view)
    await house.ingest.record(WEB, batch(action(who, number)))

    done = (await perform(house, who)).performance

    (call,) = bank.calls
    customer = await house.identity.customer(done.profile_id)
    assert call.customer.id == f"cus_{customer.id.hex}"
    assert (call.customer.by("login"), call.customer.by("phone")) == (who["value"], number["value"])
    assert call.customer.by("email") is None
    assert (call.capability, call.input, call.channel, call.assurance) == (
        "statement.view",
        OCTOBER,
        "web",
        Assurance.LOGIN,
    )
    assert (call.key, call.given_key, call.performance_id) == (done.name, "k-1", done.id)
    assert (call.attempt, call.timeout) == (1, 5.0)


@pytest.mark.parametrize(
    ("input", "faults"),
    [
        ({}, ['input/: "period" is a required property']),
        ({"period": "soon"}, [r'input/period: the value does not match "^\d{4}-\d\d$"']),
        (
            {"period": "2026-10", "copies": "two", "more": 1},
            [
                'input/copies: the value is not of type "integer"',
                "input/: Additional properties are not allowed ('more' was unexpected)",
            ],
        ),
        ([], ["input: an object is wanted."]),
        ({"period": "2026-10", "copies": float("nan")}, ["input: Out of range float values are not JSON compliant."]),
        ({"period": "2026-10", "x": "y" * 40_000}, ["input: at most 32,768 bytes."]),
    ],
    ids=["missing", "pattern", "several", "a list", "no JSON", "too large"],
)
async def test_an_input_that_does_not_fit_is_refused_with_its_place_and_nothing_is_kept(
    house: Slices, input: Any, faults: list[str]
) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)

    with pytest.raises(Invalid) as refused:
        await perform(house, who, input=input)

    assert sorted(refused.value.message.splitlines()) == sorted(faults)
    assert not bank.calls
    assert await house.documents("performances", key="k-1", channel="nowhere") == []
    with pytest.raises(Invalid, match="key: 1 to 200 characters"):
        await perform(house, who, key="")


async def test_who_may_not_perform_is_told_why_and_a_gap_is_on_the_timeline_once(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(
        house,
        bank.view,
        scopes=frozenset({"perform:money"}),
        channels={"sms": Binding(Offer.NOT_FEASIBLE, "A statement does not fit."), "app": Binding(Offer.LIMITED, "x")},
    )
    rich = viewer("app", scopes=CHANNEL_SCOPES | {"perform:money"})

    with pytest.raises(NotFound, match="declares no capability 'magic'"):
        await perform(house, who, name="magic")
    for _ in range(2):
        with pytest.raises(Withheld, match="A statement does not fit") as gap:
            await perform(house, who, by=SMS)
    with pytest.raises(Withheld, match="lacks perform:money") as poor:
        await perform(house, who)
    with pytest.raises(Withheld, match="proven who they are by LOGIN") as unsure:
        await perform(house, phone(), by=rich)
    assert (await perform(house, who, by=rich)).performance.state is State.DONE

    assert [error.value.why for error in (gap, poor, unsure)] == [
        Why.NOT_FEASIBLE,
        Why.SCOPE_MISSING,
        Why.ASSURANCE_TOO_LOW,
    ]
    assert gap.value.extensions == {"code": "FORBIDDEN", "why": "NOT_FEASIBLE"}
    profile_id = await house.identity.profile(_key(who))
    told = await house.documents("actions", type="capability.refused", profile_id=profile_id)
    assert [(one["channel"], one["properties"]) for one in told] == [
        (
            "sms",
            {"capability": "statement.view", "why": "NOT_FEASIBLE", "reason": "A statement does not fit."},
        )
    ]
    for scopes in ({Scope.CUSTOMERS_READ}, {Scope.ACTIONS_WRITE}):
        with pytest.raises(Forbidden, match="lacks the scope"):
            await perform(house, who, by=viewer("web", scopes=frozenset(scopes)))


async def test_what_a_channel_may_offer_is_told_with_the_reason_for_the_rest(house: Slices) -> None:
    bank = Bank(honours=True)
    declare(house, bank.view, name="a.plain")
    declare(house, bank.view, name="b.limited", channels={"web": Binding(Offer.LIMITED, "By e-mail.")})
    declare(house, bank.view, name="c.gap", channels={"web": Binding(Offer.NOT_FEASIBLE, "No printer.")})
    declare(house, bank.view, name="d.scope", scopes=frozenset({"perform:money"}))
    declare(house, bank.view, name="e.sure", assurance=Assurance.IN_PERSON)
    gone = declare(house, bank.view, name="f.gone")
    house.functions.clear()
    away = replace(gone, implementation=FunctionBinding("away"))
    house.capabilities.declared.declare({**house.capabilities.declared.declared, "f.gone": away})

    offered = {one.capability.name: one for one in house.performing.offered(WEB, [somebody()])}
    nobody = {one.capability.name: one for one in house.performing.offered(WEB, [])}

    told = {name: (one.is_offered, one.why) for name, one in offered.items()}
    assert told == {
        "a.plain": (True, None),
        "b.limited": (True, Why.LIMITED),
        "c.gap": (False, Why.NOT_FEASIBLE),
        "d.scope": (False, Why.SCOPE_MISSING),
        "e.sure": (False, Why.ASSURANCE_TOO_LOW),
        "f.gone": (False, Why.UNAVAILABLE),
    }
    assert [offered[name].reason for name in ("a.plain", "b.limited", "c.gap")] == ["", "By e-mail.", "No printer."]
    assert nobody["a.plain"].why is Why.ASSURANCE_TOO_LOW
    with pytest.raises(Unavailable, match="Nothing was done"):
        await perform(house, somebody(), name="f.gone")
    admin = viewer(None)
    assert [one.why for one in house.performing.offered(admin, [], channel="web")][2] is Why.NOT_FEASIBLE
    with pytest.raises(Invalid, match="channel: which one"):
        house.performing.offered(admin, [])
    with pytest.raises(Forbidden, match="speaks for web"):
        house.performing.offered(WEB, [], channel="app")
    with pytest.raises(Invalid, match="identifiers: at most 10"):
        house.performing.offered(WEB, [somebody()] * 11)


async def test_a_definite_failure_is_an_outcome_and_told_to_all(house: Slices) -> None:
    calls = []

    async def refuse(call: Call) -> Mapping[str, Any]:
        calls.append(call)
        raise Failed("NO_STATEMENT", "There is none for that month.")

    declare(house, refuse)
    who = somebody()

    done = [(await perform(house, who, by=channel)).performance for channel in CHANNELS]

    assert len(calls) == 1
    assert done == [done[0]] * 4
    assert (done[0].state, done[0].failure) == (
        State.FAILED,
        Failure("NO_STATEMENT", "There is none for that month."),
    )
    ((type, told),) = await told_of(house, done[0])
    assert (type, told["state"], told["code"]) == ("capability.performed", "FAILED", "NO_STATEMENT")


async def test_where_nothing_was_done_nothing_is_kept_and_the_key_is_free(house: Slices) -> None:
    is_away = True

    def view(call: Call) -> Mapping[str, Any]:
        if is_away:
            raise NotDone("connection refused")
        return {"url": "/"}

    declare(house, view)
    who = somebody()

    with pytest.raises(Unavailable, match="Nothing was done"):
        await perform(house, who)
    profile_id = await house.identity.profile(_key(who))
    assert await house.documents("performances", profile_id=profile_id) == []
    assert await house.documents("actions", profile_id=profile_id) == []
    is_away = False

    assert (await perform(house, who, input={"period": "2026-09"})).performance.state is State.DONE


async def test_who_waits_at_another_server_is_told_that_nothing_was_done(house: Slices) -> None:
    beside, who = house.beside(), somebody()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def view(call: Call) -> Mapping[str, Any]:
        started.set()
        await go_on.wait()
        raise NotDone("connection refused")

    for slices in (house, beside):
        declare(slices, view)
    first = asyncio.create_task(perform(house, who))
    await started.wait()
    second = asyncio.create_task(perform(beside, who, by=APP))
    await asyncio.sleep(0.1)
    go_on.set()

    for waiting in (first, second):
        with pytest.raises(Unavailable, match="Nothing was done"):
            await waiting


@pytest.mark.parametrize("trouble", [Unknown("no answer"), KeyError("ours")], ids=["unknown", "a fault of ours"])
async def test_what_may_have_happened_is_unknown_and_never_repeated_where_keys_are_not_honoured(
    house: Slices, trouble: Exception
) -> None:
    calls = []

    async def view(call: Call) -> Mapping[str, Any]:
        calls.append(call)
        raise trouble

    declare(house, view)
    who = somebody()

    done = [(await perform(house, who, by=channel)).performance for channel in CHANNELS]

    assert len(calls) == 1
    assert done == [done[0]] * 4
    assert (done[0].state, done[0].failure and done[0].failure.code) == (State.UNKNOWN, "NO_ANSWER")
    ((type, told),) = await told_of(house, done[0])
    assert (type, told["state"], told["code"]) == ("capability.performed", "UNKNOWN", "NO_ANSWER")


async def test_what_may_have_happened_is_tried_again_with_the_same_key_where_keys_are_honoured(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_module, "_MOST_PAUSE", 0.05)
    calls: list[Call] = []

    @capability(honours_keys=True)
    async def view(call: Call) -> Mapping[str, Any]:
        calls.append(call)
        if len(calls) == 2:
            raise NotDone("the first may have happened, though")
        if len(calls) < 4:
            raise Unknown("no answer")
        return {"url": "/"}

    declare(house, view)
    who = somebody()

    waiting = await perform(house, who, within=0.2)
    over = await settled(house, waiting.performance.id)

    assert waiting.performance.state is State.RUNNING
    assert (over.state, over.attempt, over.output) == (State.DONE, 4, {"url": "/"})
    assert [call.attempt for call in calls] == [1, 2, 3, 4]
    assert len({(call.key, call.performance_id, str(call.input), call.customer) for call in calls}) == 1
    assert (await perform(house, who, by=APP)).performance == over
    assert len(await told_of(house, over)) == 1


async def test_who_never_answers_is_given_up(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_MOST_PAUSE", 0.01)
    monkeypatch.setattr(attempts_module, "MOST_ATTEMPTS", 3)

    @capability(honours_keys=True)
    async def view(call: Call) -> Mapping[str, Any]:
        raise Unknown("no answer")

    declare(house, view)

    waiting = await perform(house, somebody(), within=0)
    over = await settled(house, waiting.performance.id)

    assert (over.state, over.attempt, over.failure and over.failure.code) == (State.UNKNOWN, 3, "NO_ANSWER")
    assert len(await told_of(house, over)) == 1


async def test_one_that_takes_longer_than_its_timeout_is_not_waited_for(house: Slices) -> None:
    async def view(call: Call) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    declare(house, view, timeout=timedelta(milliseconds=50))

    done = (await perform(house, somebody(), within=5)).performance

    assert (done.state, done.failure and done.failure.code) == (State.UNKNOWN, "NO_ANSWER")


@pytest.mark.parametrize(
    "output", [{"uri": "/"}, {"url": float("inf")}, {"url": "/", 1: 2}, {"url": "x" * 300_000}, "no object"]
)
async def test_an_output_that_does_not_fit_is_no_answer_and_may_have_been_done(house: Slices, output: Any) -> None:
    calls = []

    @capability(honours_keys=True)
    async def view(call: Call) -> Any:
        calls.append(call)
        return Answer(output) if isinstance(output, Mapping) else output

    declare(house, view)
    who = somebody()

    done = (await perform(house, who, within=0.5)).performance

    if isinstance(output, Mapping):
        assert (done.state, done.output, done.failure and done.failure.code) == (State.UNKNOWN, None, "INVALID_OUTPUT")
        assert (await perform(house, who)).performance == done
        assert len(calls) == 1
    else:  # which is a fault of the function, that a later attempt may not have
        assert done.state is State.RUNNING
        assert len(calls) == 1


async def test_plain_functions_run_beside_and_generators_tell_how_far_they_are(house: Slices) -> None:
    heard = asyncio.Event()

    def plain(call: Call) -> Mapping[str, Any]:
        return {"url": f"/{call.input['period']}"}

    async def telling(call: Call) -> AsyncIterator[Progress | Mapping[str, Any]]:
        yield Progress(0.25, "Fetched.")
        yield Progress(7, "x" * 600)
        await heard.wait()
        yield {"url": "/"}

    declare(house, plain, name="plain")
    declare(house, telling, name="telling")

    done = (await perform(house, somebody(), name="plain")).performance
    waiting = asyncio.create_task(perform(house, somebody(), name="telling"))
    progress: Any = None
    while progress is None:
        await asyncio.sleep(0.02)
        progress = next(
            (
                one["progress"]
                for one in await house.documents("performances", capability="telling")
                if "progress" in one
            ),
            None,
        )
    heard.set()

    assert done.output == {"url": "/2026-10"}
    assert (progress["done"], progress["message"]) == (1.0, "x" * 500)
    over = (await waiting).performance
    assert (over.state, over.progress and over.progress.done) == (State.DONE, 1.0)


async def test_who_does_not_wait_is_told_that_it_runs_and_waits_on_by_asking_again(house: Slices) -> None:
    bank, who, beside = Bank(honours=False), somebody(), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view)
    bank.go_on.clear()

    running = [await perform(house, who, within=0.05), await perform(beside, who, by=APP, within=0.05)]
    waiting = [asyncio.create_task(perform(house, who)), asyncio.create_task(perform(beside, who, by=APP))]
    await asyncio.sleep(0.1)
    bank.go_on.set()
    done = [await one for one in waiting]

    assert [(one.performance.state, one.is_repeated) for one in running] == [
        (State.RUNNING, False),
        (State.RUNNING, True),
    ]
    assert [one.performance.state for one in done] == [State.DONE] * 2
    assert len(bank.effects) == 1


async def test_what_a_crashed_server_began_is_done_with_the_same_key_where_that_is_honoured(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, who, beside = Bank(honours=True), somebody(), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view)
    bank.go_on.clear()
    async with hasty_leases(house, monkeypatch), hasty_leases(beside, monkeypatch):
        began = (await perform(house, who, within=0)).performance
        await bank.started.wait()
        await house.performing.close()  # as if it were killed: nothing is said of what was under way
        bank.go_on.set()

        waiting = asyncio.create_task(perform(beside, who, by=APP))
        over = await settled(beside, began.id)

    assert (over.state, over.attempt, over.output, over.channel) == (State.DONE, 2, {"url": "/statements/1"}, "web")
    assert (await waiting).performance == over
    assert bank.effects.count(over.name) == 1
    assert len(await told_of(house, over)) == 1


async def test_what_a_crashed_server_began_is_unknown_where_keys_are_not_honoured(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, who, beside = Bank(honours=False), somebody(), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view)
    bank.go_on.clear()
    async with hasty_leases(house, monkeypatch), hasty_leases(beside, monkeypatch):
        began = (await perform(house, who, within=0)).performance
        await bank.started.wait()
        await house.performing.close()

        over = await settled(beside, began.id)
        await settled(beside, began.id)

    assert (over.state, over.failure and over.failure.code, over.attempt) == (State.UNKNOWN, "INTERRUPTED", 2)
    assert len(bank.effects) == 1
    assert [(await perform(beside, who, by=channel)).performance for channel in CHANNELS] == [over] * 4
    assert len(bank.effects) == 1
    ((_, told),) = await told_of(house, over)
    assert (told["state"], told["code"]) == ("UNKNOWN", "INTERRUPTED")


async def test_a_lease_is_held_for_as_long_as_it_takes(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, who, beside = Bank(honours=True), somebody(), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view)
    bank.go_on.clear()
    monkeypatch.setattr(attempts_module, "_TOLD_EVERY", 0.01)
    monkeypatch.setattr(house.stores.performances, "lease_seconds", 1.0)
    began = (await perform(house, who, within=0)).performance
    await bank.started.wait()

    for _ in range(15):
        await beside.performing.catch_up()
        await asyncio.sleep(0.1)
    bank.go_on.set()

    assert (await settled(house, began.id)).attempt == 1
    assert len(bank.calls) == 1


async def test_who_was_held_up_until_another_took_over_changes_nothing(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, who, beside = Bank(honours=False), somebody(), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view)
    bank.go_on.clear()
    began = (await perform(house, who, within=0)).performance
    await bank.started.wait()
    await house.database.collection("performances").update_one(
        {"_id": began.id}, [{"$set": {"lease": {"$subtract": ["$$NOW", 1]}}}]
    )
    over = await settled(beside, began.id)
    bank.go_on.set()

    late = await perform(house, who)

    assert late.performance == over
    assert over.state is State.UNKNOWN
    assert len(await told_of(house, over)) == 1


async def test_an_outcome_that_cannot_be_recorded_holds_up_no_other(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = Bank(honours=True)
    declare(house, bank.view)
    async with house.failing("insert", collection="actions", errorCode=112):
        bad, good = [(await perform(house, somebody())).performance for _ in range(2)]
    keep = house.ingest.keep

    async def broken(actions: Sequence[Action]) -> None:
        if actions[0].properties["performance"] == bad.name:
            raise ValueError("no")
        await keep(actions)

    monkeypatch.setattr(house.ingest, "keep", broken)
    monkeypatch.setattr(service_module, "_TOGETHER", 1)
    house.clock.at = now() + service_module.LEFT_AFTER * 2
    done = [await house.performing.catch_up() for _ in range(2)]
    house.clock.at = None

    assert done == [0, 1]
    assert len(await told_of(house, good)) == 1


async def test_an_outcome_whose_server_died_gets_on_the_timeline_once(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)
    async with house.failing("insert", collection="actions", errorCode=112):
        done = (await perform(house, who)).performance
    assert done.state is State.DONE
    assert await told_of(house, done) == []
    assert await house.performing.catch_up() == 0  # whoever performed it may be about to record it

    house.clock.at = now() + service_module.LEFT_AFTER * 2
    await asyncio.gather(house.performing.catch_up(), house.beside().performing.catch_up())
    await house.performing.catch_up()

    assert len(await told_of(house, done)) == 1
    (kept,) = await house.documents("performances", _id=done.id)
    assert kept["deeds"] == []
    assert "deeds_at" not in kept
    assert "input" not in kept


async def test_what_is_done_is_stored_although_the_database_fails_for_a_moment(house: Slices) -> None:
    bank, who = Bank(honours=False), somebody()
    declare(house, bank.view)
    bank.go_on.clear()
    waiting = asyncio.create_task(perform(house, who))
    await bank.started.wait()
    async with house.failing("findAndModify", collection="performances", errorCode=112, times=3):
        bank.go_on.set()
        done = (await waiting).performance

    assert done.state is State.DONE


async def test_what_is_accepted_is_reported_and_completed(house: Slices) -> None:
    async def view(call: Call) -> Answer:
        return Answer(handle="job-7")

    declare(house, view)
    who = somebody()

    accepted = (await perform(house, who)).performance
    half = await house.performing.report(REPORTER, accepted.id, Progress(0.5, "Half of it."))
    with pytest.raises(Invalid, match="output/"):
        await house.performing.complete(REPORTER, accepted.id, {"uri": "/"}, None)
    over = await house.performing.complete(REPORTER, accepted.id, {"url": "/"}, None)
    again = await house.performing.complete(REPORTER, accepted.id, {"url": "/"}, None)

    assert (accepted.state, accepted.handle, accepted.ended_at) == (State.ACCEPTED, "job-7", None)
    assert half.progress is not None
    assert (half.progress.done, half.progress.message) == (0.5, "Half of it.")
    assert (over.state, over.output) == (State.DONE, {"url": "/"})
    assert again == over == (await perform(house, who, by=APP)).performance
    assert [type for type, _ in await told_of(house, over)] == ["capability.accepted", "capability.performed"]
    begun, later = await house.documents("actions", **{"properties.performance": over.name})
    if begun["type"] != "capability.accepted":
        begun, later = later, begun
    assert (begun["actor"], begun["contact"]) == ("CUSTOMER", "c-1")
    assert (later["actor"], later.get("contact"), later["channel"]) == ("SYSTEM", None, "web")
    (visit,) = await house.documents("contacts", profile_id=over.profile_id)
    assert visit["last_at"] == begun["at"]  # what comes of it later does not make the visit last so long
    with pytest.raises(Conflict, match="DONE already"):
        await house.performing.complete(REPORTER, over.id, None, Failure("NO"))
    with pytest.raises(Conflict, match="DONE, not ACCEPTED"):
        await house.performing.report(REPORTER, over.id, Progress(0.7))


async def test_somebody_finds_out_what_came_of_what_nobody_knew(house: Slices) -> None:
    async def view(call: Call) -> Mapping[str, Any]:
        raise Unknown("no answer")

    declare(house, view)
    who = somebody()
    unknown = (await perform(house, who)).performance

    settled = await house.performing.complete(REPORTER, unknown.id, None, Failure("NEVER_CAME", "It was not there."))

    assert (settled.state, settled.failure) == (State.FAILED, Failure("NEVER_CAME", "It was not there."))
    assert (await perform(house, who)).performance == settled
    assert [type for type, _ in await told_of(house, settled)] == ["capability.performed", "capability.settled"]


async def test_who_may_not_report_or_says_nothing_that_can_be_is_refused(house: Slices) -> None:
    async def view(call: Call) -> Answer:
        return Answer(handle="job-7")

    declare(house, view)
    accepted = (await perform(house, somebody())).performance

    with pytest.raises(Forbidden, match="capabilities:report"):
        await house.performing.report(WEB, accepted.id, Progress(0.5))
    with pytest.raises(Forbidden, match="capabilities:report"):
        await house.performing.complete(WEB, accepted.id, {"url": "/"}, None)
    for progress in (Progress(1.5), Progress(None, "x" * 501)):
        with pytest.raises(Invalid):
            await house.performing.report(REPORTER, accepted.id, progress)
    for output, failure in ((None, None), ({"url": "/"}, Failure("NO")), (None, Failure(""))):
        with pytest.raises(Invalid):
            await house.performing.complete(REPORTER, accepted.id, output, failure)
    for work in (
        house.performing.report(REPORTER, uuid4(), Progress(0.5)),
        house.performing.complete(REPORTER, uuid4(), {"url": "/"}, None),
    ):
        with pytest.raises(NotFound):
            await work
    assert (await house.capabilities.one(accepted.id)).state is State.ACCEPTED


@pytest.mark.parametrize("is_declared", [False, True], ids=["declared no more", "not installed here"])
@pytest.mark.parametrize("honours", [False, True])
async def test_who_cannot_try_again_leaves_it_to_another_server_and_tries_nothing_unsafe(
    house: Slices, monkeypatch: pytest.MonkeyPatch, is_declared: bool, honours: bool
) -> None:
    monkeypatch.setattr(attempts_module, "_MOST_PAUSE", 0.05)
    monkeypatch.setattr(attempts_module, "MOST_ATTEMPTS", 1_000)
    bank, who, beside = Bank(honours=honours), somebody(), house.beside()
    declared = declare(house, bank.view)
    if is_declared:
        beside.capabilities.declared.declare({declared.name: declared})
    bank.go_on.clear()
    async with hasty_leases(house, monkeypatch), hasty_leases(beside, monkeypatch):
        began = (await perform(house, who, within=0)).performance
        await bank.started.wait()
        await house.performing.close()
        bank.go_on.set()
        for _ in range(12):
            await beside.performing.catch_up()
            await asyncio.sleep(0.05)
        meanwhile = await house.capabilities.one(began.id)
        over = await settled(house, began.id)

    assert meanwhile.state is (State.RUNNING if honours else State.UNKNOWN)
    assert over.state is (State.DONE if honours else State.UNKNOWN)
    assert bank.effects.count(over.name) == 1


async def test_a_server_that_ends_waits_for_what_is_under_way(house: Slices) -> None:
    bank, who = Bank(honours=False), somebody()
    declare(house, bank.view)
    bank.go_on.clear()
    began = (await perform(house, who, within=0)).performance
    await bank.started.wait()
    asyncio.get_running_loop().call_later(0.1, bank.go_on.set)

    await house.performing.close(within=30)

    assert (await house.capabilities.one(began.id)).state is State.DONE


async def test_an_employee_who_performs_it_for_the_customer_is_named(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)
    agent = asker(who, agent="a.singh")

    done = (await house.performing.perform(SHOP, agent, STATEMENT.name, OCTOBER, "k-1")).result.performance

    (told,) = await house.documents("actions", **{"properties.performance": done.name})
    assert (told["actor"], told["agent"], told["contact"], told["channel"]) == ("AGENT", "a.singh", "c-1", "shop")


async def test_a_repetition_costs_few_queries_and_goes_by_index(house: Slices) -> None:
    bank, who = Bank(honours=True), somebody()
    declare(house, bank.view)
    done = (await perform(house, who)).performance

    query = {"profile_id": {"$in": [done.profile_id, uuid4()]}, "capability": done.capability, "key": done.key}
    plan = await house.plan({"find": "performances", "filter": query})

    assert plan.is_frugal(profiles=2), plan


@pytest.mark.parametrize("honours", [False, True])
async def test_what_is_implemented_anew_knows_no_keys_of_what_was_there_before(
    house: Slices, monkeypatch: pytest.MonkeyPatch, honours: bool
) -> None:
    before, after, who, beside = Bank(honours=True), Bank(honours=honours), somebody(), house.beside()
    declare(house, before.view)
    declare(beside, after.view)
    before.go_on.clear()
    async with hasty_leases(house, monkeypatch), hasty_leases(beside, monkeypatch):
        began = (await perform(house, who, within=0)).performance
        await before.started.wait()
        await house.performing.close()

        over = await settled(beside, began.id)

    assert (over.state, over.failure and over.failure.code) == (State.UNKNOWN, "INTERRUPTED")
    assert (len(before.effects), len(after.effects)) == (1, 0)


@pytest.mark.parametrize(
    "answer",
    [Answer(output=["a list"]), Answer(handle=7), Answer(output={"url": "/"}, handle=["j"])],  # type: ignore[arg-type]
    ids=["output", "handle", "both"],
)
async def test_an_answer_that_is_none_is_an_outcome_like_any_other(house: Slices, answer: Answer) -> None:
    @capability(honours_keys=True)
    async def view(call: Call) -> Answer:
        return answer

    declare(house, view)

    done = (await perform(house, somebody())).performance

    assert (done.state, done.failure and done.failure.code) == (State.UNKNOWN, "INVALID_OUTPUT")


async def test_what_kills_each_server_that_tries_it_is_given_up(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    @capability(honours_keys=True)
    async def view(call: Call) -> Mapping[str, Any]:
        calls.append(call.attempt)
        await asyncio.Event().wait()
        return {}

    declare(house, view)
    monkeypatch.setattr(attempts_module, "MOST_ATTEMPTS", 3)
    async with hasty_leases(house, monkeypatch):
        began = (await perform(house, somebody(), within=0)).performance
        while len(calls) < 5 and not (await house.capabilities.one(began.id)).state.is_over:
            await house.performing.close()
            await asyncio.sleep(0.3)
            await house.performing.catch_up()
            await asyncio.sleep(0.1)

    over = await house.capabilities.one(began.id)
    assert (over.state, over.failure and over.failure.code) == (State.UNKNOWN, "NO_ANSWER")
    assert calls[-1] == 3


async def test_who_completes_before_it_is_known_to_go_on_is_asked_to_come_again(house: Slices) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def view(call: Call) -> Answer:
        started.set()
        await go_on.wait()
        return Answer(handle="job-7")

    declare(house, view)
    who = somebody()
    running = (await perform(house, who, within=0)).performance
    await started.wait()

    with pytest.raises(Unavailable, match="RUNNING"):
        await house.performing.report(REPORTER, running.id, Progress(0.5))
    with pytest.raises(Unavailable, match="RUNNING"):
        await house.performing.complete(REPORTER, running.id, {"url": "/"}, None)
    go_on.set()
    await perform(house, who)

    done = await house.performing.complete(REPORTER, running.id, {"url": "/"}, None)
    assert done.state is State.DONE


async def test_who_proves_two_identifiers_at_once_is_one_customer_already(house: Slices) -> None:
    bank, who, number = Bank(honours=True), somebody(), phone()
    declare(house, bank.view, assurance=Assurance.OTP)
    before = await perform(house, number)

    both = await house.performing.perform(APP, asker(who, number), STATEMENT.name, OCTOBER, "k-1")

    assert both.result.performance == before.performance
    assert len(bank.effects) == 1


async def test_who_proves_what_is_another_s_by_a_rule_is_not_told_what_they_did(house: Slices) -> None:
    """A customer has one login, and the telephone that both have is whose it was first."""
    bank, one, other, number = Bank(honours=True), somebody(), somebody(), phone()
    declare(house, bank.view, assurance=Assurance.OTP)
    await house.ingest.record(WEB, batch(action(one, number)))
    theirs = await perform(house, one)

    shared = await house.performing.perform(APP, asker(other, number), STATEMENT.name, OCTOBER, "k-1")

    assert shared.result.performance.id != theirs.performance.id
    assert len(bank.effects) == 2


async def test_two_who_prove_it_at_once_in_different_ways_do_it_once(house: Slices) -> None:
    bank, beside = Bank(honours=False), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view, assurance=Assurance.OTP)
    for _ in range(10):
        bank.effects.clear()
        who, number = somebody(), phone()

        done = await asyncio.gather(
            perform(house, number),
            beside.performing.perform(APP, asker(who, number), STATEMENT.name, OCTOBER, "k-1"),
        )

        assert done[1].result.performance == done[0].performance
        assert len(bank.effects) == 1


async def test_who_is_not_known_yet_and_who_is_do_it_once_at_once(house: Slices) -> None:
    bank, beside = Bank(honours=False), house.beside()
    for slices in (house, beside):
        declare(slices, bank.view, assurance=Assurance.CLAIMED)
    for _ in range(10):
        bank.effects.clear()
        contact = f"c-{uuid4().hex}"
        await house.ingest.record(WEB, batch(action(somebody("CLAIMED"), contact=contact)))

        unknown, known = await asyncio.gather(
            perform(house, somebody("CLAIMED"), contact=contact),
            perform(beside, somebody(), contact=contact),
            return_exceptions=True,
        )

        assert len(bank.effects) == 1
        assert isinstance(known, Performed)
        assert isinstance(unknown, Forbidden) or unknown.performance == known.performance  # type: ignore[union-attr]


async def test_what_was_done_in_a_contact_is_not_done_again_by_who_has_signed_out(house: Slices) -> None:
    bank, who, contact = Bank(honours=False), somebody(), f"c-{uuid4().hex}"
    declare(house, bank.view, assurance=Assurance.CLAIMED)
    await house.ingest.record(WEB, batch(action(somebody("CLAIMED"), contact=contact)))
    await perform(house, who, contact=contact)

    with pytest.raises(Forbidden, match="signed in"):
        await perform(house, somebody("CLAIMED"), contact=contact)

    assert len(bank.effects) == 1
    assert (await perform(house, somebody("CLAIMED"), "k-2", contact=contact)).performance.state is State.DONE


def _key(who: dict[str, str]) -> Any:
    from steadylight_server.identity.models import Key

    return Key(who["kind"], who["value"])

"""The difference between two blueprints, in words."""

from datetime import UTC, datetime

from steadylight_server.access.models import Channel, ChannelKind
from steadylight_server.blueprint import difference
from steadylight_server.blueprint.difference import Change, How
from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.kinds import Kind
from steadylight_server.identity.values import Normaliser
from steadylight_server.journeys.models import JourneyType, Threading, condition


def channel(name: str, kind: ChannelKind, highest: Assurance, cost: float | None = None) -> Channel:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Channel(name=name, kind=kind, highest_assurance=highest, created_at=at, cost_per_contact=cost)


def test_the_default_region() -> None:
    assert list(difference.of_regions("GB", "GB")) == []
    assert list(difference.of_regions(None, "GB")) == [Change(How.CHANGED, "default region: none → GB")]


def test_channels_that_are_new_or_other_than_they_were() -> None:
    web = channel("web", ChannelKind.SELF_SERVICE, Assurance.LOGIN)
    app = channel("app", ChannelKind.SELF_SERVICE, Assurance.LOGIN, 0.05)
    desk = channel("desk", ChannelKind.ASSISTED, Assurance.IN_PERSON, 5)
    other = channel("desk", ChannelKind.AUTOMATED_AGENT, Assurance.OTP)

    found = difference.of_channels({"web": web, "desk": desk, "by-hand": web}, [web, other, app])

    assert list(found) == [
        Change(
            How.CHANGED,
            "channel desk: ASSISTED → AUTOMATED_AGENT; up to IN_PERSON → up to OTP; 5 a contact → no cost",
        ),
        Change(How.ADDED, "channel app: SELF_SERVICE, up to LOGIN, 0.05 a contact"),
    ]


def test_channels_that_are_declared_no_more() -> None:
    assert list(difference.of_removed_channels({"web": 0, "app": 1, "ivr": 3})) == [
        Change(How.REMOVED, "channel web"),
        Change(How.KEPT, "channel app: not declared any more, but stays, since a key is in use"),
        Change(How.KEPT, "channel ivr: not declared any more, but stays, since 3 keys are in use"),
    ]


def test_kinds_that_are_new_gone_or_other_than_they_were() -> None:
    login = Kind("login", Assurance.OTP, 10, most=1)
    before = {
        "login": login,
        "badge": Kind("badge", Assurance.OTP, 20, Normaliser.FOLDED, 3, frozenset({"a"})),
        "old": Kind("old", None, 7),
    }
    after = {
        "login": login,
        "badge": Kind("badge", None, 20, Normaliser.EXACT, None, frozenset({"b", "a"})),
        "sim": Kind("sim", Assurance.LOGIN, 60, blocked_patterns=("x.*",)),
    }

    assert list(difference.of_kinds(before, after)) == [
        Change(
            How.CHANGED,
            "identifier kind badge: folded → exact; counts from OTP → shared; at most 3 a customer → any number a "
            "customer; blocked a → blocked a, b",
        ),
        Change(
            How.REMOVED,
            "identifier kind old: as any kind that nobody declared, exact, counts from LOGIN, priority 500, any number "
            "a customer",
        ),
        Change(
            How.ADDED,
            "identifier kind sim: exact, counts from LOGIN, priority 60, any number a customer, blocked patterns x.*",
        ),
    ]


def test_a_kind_that_nobody_declares_is_exact() -> None:
    folded = Kind("badge", Assurance.OTP, 20, Normaliser.FOLDED)
    exact = Kind("badge", Assurance.OTP, 20)

    assert difference.other_normalisers({"badge": folded}, {}) == {"badge": "folded → exact"}
    assert difference.other_normalisers({}, {"badge": folded}) == {"badge": "exact → folded"}
    assert difference.other_normalisers({"badge": exact}, {}) == {}


def test_what_becomes_of_threads() -> None:
    closed, moved = condition('type == "case.closed"'), condition('type == "case.moved"')
    before = {
        "incident": JourneyType("incident", threads=Threading("case", completes=closed, counts={"moved": moved})),
        "order": JourneyType("order"),
    }
    after = {
        "incident": JourneyType("incident", threads=Threading("ticket", when=closed, reopens=moved)),
        "order": JourneyType("order", threads=Threading("order", counts={"moved": moved})),
    }

    assert list(difference.of_journeys(before, before)) == []
    assert list(difference.of_journeys(before, after)) == [
        Change(
            How.CHANGED,
            "journey incident: one for each case → one for each ticket; no when → of what is "
            'type == "case.closed"; no reopens → reopened by type == "case.moved"; completed by '
            'type == "case.closed" → no completes; counts moved (type == "case.moved") → no count moved',
        ),
        Change(
            How.CHANGED,
            'journey order: no threads → one for each order; no count moved → counts moved (type == "case.moved")',
        ),
    ]

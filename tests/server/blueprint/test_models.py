"""What a blueprint makes of channels and kinds of identifier."""

from datetime import UTC, datetime

import pytest

from steadylight_server.access.models import Channel, ChannelKind
from steadylight_server.blueprint.models import (
    Blueprint,
    DeclaredChannel,
    DeclaredJourney,
    DeclaredKind,
    DeclaredThreads,
)
from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.kinds import DECLARED, Kind
from steadylight_server.identity.values import Normaliser
from steadylight_server.journeys.declared import JourneyTypes
from steadylight_server.journeys.models import Threading, condition

AT = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_blueprint_that_declares_nothing_has_the_kinds_that_ship() -> None:
    assert tuple(Blueprint(version=1).kinds.values()) == DECLARED


def test_what_is_left_out_of_a_kind_is_as_shipped() -> None:
    phone = DeclaredKind(most=2, blocked=("0800 1234567",))

    kinds = Blueprint(version=1, default_region="GB", identifier_kinds={"phone": phone}).kinds

    shipped = next(kind for kind in DECLARED if kind.name == "phone")
    assert kinds["phone"] == Kind(
        "phone",
        Assurance.OTP,
        50,
        Normaliser.PHONE,
        2,
        frozenset({"0800 1234567"}),
        shipped.blocked_patterns,
        frozenset(),
        "GB",
    )
    assert kinds["login"].most == 1


def test_what_is_left_out_of_a_new_kind_is_as_for_one_that_nobody_declared() -> None:
    assert DeclaredKind().kind("badge", None) == Kind("badge", Assurance.LOGIN, 500)


def test_a_kind_may_say_all_of_itself() -> None:
    declared = DeclaredKind(
        normaliser=Normaliser.FOLDED,
        most=3,
        blocked=("none",),
        blocked_patterns=("x.*",),
        allowed=("guest",),
        bar="KNOWLEDGE",
        priority=7,
    )

    assert declared.kind("badge", "DE") == Kind(
        "badge",
        Assurance.KNOWLEDGE,
        7,
        Normaliser.FOLDED,
        3,
        frozenset({"none"}),
        ("x.*",),
        frozenset({"guest"}),
        "DE",
    )


@pytest.mark.parametrize(
    ("name", "declared", "bar"),
    [
        ("email", DeclaredKind(shared=True), None),
        ("device", DeclaredKind(), None),
        ("device", DeclaredKind(shared=False), Assurance.LOGIN),
        ("device", DeclaredKind(bar="OTP"), Assurance.OTP),
        ("email", DeclaredKind(shared=False), Assurance.OTP),
    ],
)
def test_a_shared_kind_has_no_bar(name: str, declared: DeclaredKind, bar: Assurance | None) -> None:
    assert declared.kind(name, None).bar is bar


def test_null_is_any_number_and_left_out_is_as_shipped() -> None:
    assert DeclaredKind(most=None).kind("customer-number", None).most is None
    assert DeclaredKind().kind("login", None).most == 1


def test_a_channel_has_the_assurance_of_its_kind_unless_it_says_so() -> None:
    web = DeclaredChannel(kind=ChannelKind.SELF_SERVICE, cost_per_contact=0.1).channel("web", AT)
    desk = DeclaredChannel(kind=ChannelKind.ASSISTED, highest_assurance="OTP").channel("desk", AT)

    assert web == Channel(
        name="web",
        kind=ChannelKind.SELF_SERVICE,
        highest_assurance=Assurance.LOGIN,
        created_at=AT,
        cost_per_contact=0.1,
    )
    assert (desk.highest_assurance, desk.cost_per_contact) == (Assurance.OTP, None)


def test_what_is_threaded_is_found_by_the_kind_of_its_subject() -> None:
    all_of_it = DeclaredThreads(
        subject="case",
        when='actor != "SYSTEM"',
        completes='type == "case.closed"',
        reopens='type == "case.reopened"',
        counts={"moved": 'type == "case.moved"'},
    )
    blueprint = Blueprint(
        version=1,
        journeys={
            "incident": DeclaredJourney(threads=all_of_it),
            "audit": DeclaredJourney(threads=DeclaredThreads(subject="case")),
            "order": DeclaredJourney(threads=DeclaredThreads(subject="order")),
            "move": DeclaredJourney(),
        },
    )
    types = JourneyTypes()

    types.declare(blueprint.journey_types(7))

    whole = Threading(
        "case",
        condition('actor != "SYSTEM"'),
        condition('type == "case.closed"'),
        condition('type == "case.reopened"'),
        {"moved": condition('type == "case.moved"')},
    )
    assert types.threadings == {
        "case": [("incident", whole), ("audit", Threading("case"))],
        "order": [("order", Threading("order"))],
    }
    assert (types.of("move").threads, types.of("incident").threads) == (None, whole)

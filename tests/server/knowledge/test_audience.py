"""For whom something is: what an audience names must be the viewer's, what it does not name is open."""

import pytest

from steadylight_server.access.models import Role
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge.audience import EVERYBODY, Audience, Viewpoint, holding

CUSTOMER = Viewpoint(Role.CUSTOMER, "web", Assurance.OTP, {"segment": ["gold", "student"], "region": "ch", "age": 30})


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (EVERYBODY, True),
        (Audience.of(roles=["CUSTOMER"]), True),
        (Audience.of(roles=["AGENT", "ADMIN"]), False),
        (Audience.of(channels=["ivr", "web"]), True),
        (Audience.of(channels=["ivr"]), False),
        (Audience.of(segments=["student", "silver"]), True),
        (Audience.of(segments=["silver"]), False),
        (Audience.of(regions=["ch"]), True),
        (Audience.of(products=["mortgage"]), False),
        (Audience.of(channels=["web"], segments=["silver"]), False),
        (Audience.of(condition="customer.age >= 18"), True),
        (Audience.of(condition="customer.age < 18"), False),
        (Audience.of(condition='role == "CUSTOMER" && channel == "web"'), True),
        (Audience.of(condition="assurance >= OTP"), True),
        (Audience.of(condition="assurance >= LOGIN"), False),
        (Audience.of(condition="customer.unknown != 1"), False),
        (Audience.of(condition="customer.age"), False),
        (Audience.of(segments=["gold"], condition="customer.age < 18"), False),
    ],
    ids=lambda one: one.text if isinstance(one, Audience) else str(one),
)
def test_all_that_an_audience_names_must_be_the_viewers(audience: Audience, expected: bool) -> None:
    assert audience.holds(CUSTOMER) is expected


def test_a_viewer_of_whom_nothing_is_known_is_in_no_set() -> None:
    nobody = Viewpoint()

    assert EVERYBODY.holds(nobody)
    for audience in (Audience.of(segments=["gold"]), Audience.of(channels=["web"]), Audience.of(roles=["AGENT"])):
        assert not audience.holds(nobody)


def test_a_trait_that_is_no_text_is_no_segment() -> None:
    for value in (7, None, {"gold": True}, [["gold"]]):
        assert not Audience.of(segments=["gold"]).holds(Viewpoint(traits={"segment": value}))


def test_audiences_that_say_the_same_have_one_text_and_one_key() -> None:
    one = Audience.of(segments=["gold", "silver"], channels=["web"], condition=" customer.age > 3 ")
    other = Audience.of(condition="customer.age > 3", channels=["web", "web"], segments=["silver", "gold"])

    assert one == other
    assert one.text == '{"channels":["web"],"condition":"customer.age > 3","segments":["gold","silver"]}'
    assert one.key == other.key == "892209f91c7e71c0304a60ee92d85f87"
    assert EVERYBODY.text == "{}"
    assert len({one.key, EVERYBODY.key, Audience.of(segments=["gold"]).key}) == 3


def test_an_audience_is_read_from_its_text() -> None:
    audience = Audience.of(roles=["AGENT"], products=["a", "ü"], condition='channel == "x"')

    assert Audience.from_text(audience.text) == audience
    assert Audience.from_text("{}") == EVERYBODY


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"roles": ["CHANNEL"]}, "audience.roles: 'CHANNEL' is none. There are CUSTOMER, AGENT, ADMIN."),
        ({"segments": [" "]}, "audience.segments: at most 100, each with 1 to 100 characters."),
        ({"channels": ["x" * 101]}, "audience.channels: at most 100, each with 1 to 100 characters."),
        ({"condition": "segment == 1"}, "audience.condition: there is no 'segment' to ask of."),
        ({"condition": "role =="}, "audience.condition: this is no condition in CEL"),
    ],
    ids=lambda one: str(*one) if isinstance(one, dict) else "",
)
def test_what_can_be_no_audience_is_refused(given: dict, fault: str) -> None:
    with pytest.raises(Invalid, match="^" + fault.replace(".", r"\.")):
        Audience.of(**given)


def test_a_condition_that_another_release_took_holds_for_nobody() -> None:
    assert not Audience(condition="no longer CEL").holds(CUSTOMER)


def test_of_many_audiences_those_that_hold_are_told() -> None:
    own, others = Audience.of(segments=["gold"]), Audience.of(segments=["silver"])

    assert holding(CUSTOMER, [own, others, EVERYBODY, own]) == {own, EVERYBODY}

"""A customer is its profiles."""

from datetime import UTC, datetime
from uuid import UUID

from steadylight_server.identity.models import PERSONA, Customer, Key, Profile

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def profile(number: int, kind: str) -> Profile:
    return Profile(UUID(int=number), UUID(int=1), Key(kind, str(number)), AT.replace(hour=number))


def test_a_customer_has_what_its_profiles_have() -> None:
    customer = Customer(UUID(int=1), [profile(1, "login"), profile(2, PERSONA), profile(3, "email")])

    assert customer.profile_ids == [UUID(int=1), UUID(int=2), UUID(int=3)]
    assert customer.identifiers == [Key("login", "1"), Key("email", "3")]
    assert customer.is_known
    assert customer.since == AT.replace(hour=1)


def test_a_persona_is_nobody_known() -> None:
    customer = Customer(UUID(int=1), [profile(2, PERSONA)])

    assert not customer.is_known
    assert customer.identifiers == []

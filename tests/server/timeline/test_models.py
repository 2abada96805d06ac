"""When two actions tell the same, and where one stands."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from steadylight_server.core.paging import Position
from tests.factories import fact

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ONE = fact(UUID(int=1), id=UUID(int=2), at=AT, sequence=7)


def test_an_action_stands_at_its_time_sequence_and_id() -> None:
    assert ONE.position == Position(AT, 7, UUID(int=2))


def test_a_time_that_was_corrected_the_second_time_only_is_the_same_claim() -> None:
    corrected = ONE._replace(at=AT + timedelta(hours=1), claimed_at=AT)

    assert ONE.says_the_same_as(corrected)
    assert not ONE.says_the_same_as(corrected._replace(claimed_at=AT + timedelta(hours=1)))

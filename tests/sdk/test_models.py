"""What reading returns."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from steadylight import Action, Assurance, Context, Verdicts


def test_assurances_are_in_order() -> None:
    assert sorted(Assurance, reverse=True) == ["IN_PERSON", "LOGIN", "OTP", "KNOWLEDGE", "CALLER_ID", "CLAIMED"]
    assert Assurance.CLAIMED < Assurance.CALLER_ID <= Assurance.CALLER_ID
    assert Assurance.LOGIN > "OTP"
    assert Assurance.OTP >= Assurance.OTP


def test_times_become_utc() -> None:
    context = Context.model_validate({"at": "2026-11-22T01:00:00+01:00"})

    assert context.at == datetime(2026, 11, 22, tzinfo=UTC)
    assert context.at.utcoffset() == datetime(2026, 1, 1, tzinfo=UTC).utcoffset()


def test_a_time_without_zone_is_none() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Context.model_validate({"at": "2026-11-22T01:00:00"})


def test_fields_of_a_newer_server_are_ignored() -> None:
    action = Action.model_validate(
        {
            "id": "a",
            "type": "t",
            "at": "2026-11-22T00:00:00Z",
            "channel": "web",
            "actor": "SYSTEM",
            "sequence": 1,
            "new": 1,
        }
    )

    assert "new" not in action.model_dump()


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Verdicts().stored = 1  # type: ignore[misc]


def test_sent_is_the_sum() -> None:
    assert Verdicts(stored=1, duplicate=2, refused=3, retry=4).sent == 10

"""What a credential opens, and what a viewer's word counts for."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from steadylight_server.access.models import HIGHEST_ASSURANCE, ChannelKind, Credential, Role, Scope
from steadylight_server.core.assurance import Assurance
from tests.factories import viewer

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = Credential(id="a" * 12, role=Role.CHANNEL, channel="web", scopes=frozenset(), created_at=AT)


def test_a_credential_is_good_until_it_expires_or_is_revoked() -> None:
    expiring = KEY.model_copy(update={"expires_at": AT})

    assert KEY.is_good(AT)
    assert expiring.is_good(AT - SECOND)
    assert not expiring.is_good(AT)
    assert not KEY.model_copy(update={"revoked_at": AT}).is_good(AT - SECOND)


def test_only_an_employee_sees_somebody_in_person() -> None:
    assert HIGHEST_ASSURANCE == {
        ChannelKind.SELF_SERVICE: Assurance.LOGIN,
        ChannelKind.ASSISTED: Assurance.IN_PERSON,
        ChannelKind.AUTOMATED_AGENT: Assurance.LOGIN,
    }


def test_a_viewers_word_counts_for_what_its_channel_may_assert_at_most() -> None:
    who = viewer(highest=Assurance.OTP)

    assert who.cap(Assurance.LOGIN) is Assurance.OTP
    assert who.cap(Assurance.OTP) is Assurance.OTP
    assert who.cap(Assurance.CLAIMED) is Assurance.CLAIMED


def test_a_viewer_may_do_what_the_credential_says() -> None:
    who = viewer(scopes=frozenset({Scope.ACTIONS_WRITE}))

    assert who.may(Scope.ACTIONS_WRITE)
    assert not who.may(Scope.CUSTOMERS_READ)


def test_nobody_changes_a_credential() -> None:
    with pytest.raises(ValidationError):
        KEY.channel = "ivr"  # type: ignore[misc]

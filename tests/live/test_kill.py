"""`kill -9` of a server and its database while a log is delivered: nothing is lost, doubled or left half done."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories import action, login
from tests.live.crashes import survive


def log(count: int) -> list[dict[str, Any]]:
    """Actions of 60 customers over ten days, with and without a contact, some of them ended."""
    chance = random.Random(7)
    began = datetime.now(UTC) - timedelta(days=11)
    made = []
    for number in range(count):
        customer, contact = chance.randrange(60), chance.choice([None, f"visit-{chance.randrange(5)}"])
        ended = chance.random() < 0.05
        made.append(
            action(
                login(f"C-{customer}"),
                at=(began + timedelta(minutes=chance.randrange(14_400))).isoformat(),
                contact=contact,
                type="contact.ended" if ended else f"page-{number // 100}.viewed",
                properties={"outcome": chance.choice(["RESOLVED", "GIVEN_UP"])} if ended else {"number": number},
            )
        )
    return made


@pytest.mark.timeout(240)
def test_a_log_survives_two_kills(tmp_path: Path) -> None:
    by_channel = {"web": log(1_500), "desk": log(1_500)}

    survived = survive(tmp_path, by_channel, kills=2)

    verdicts = survived.verdicts
    assert (verdicts.stored + verdicts.duplicate, verdicts.refused, verdicts.retry) == (3_000, 0, 0)
    assert survived.stored == 3_000
    assert survived.customers == 60
    assert survived.lost_acknowledged == 0
    assert survived.intents == 0
    assert survived.projected > 1_000
    assert survived.differences == 0

"""Two customers ask whatever comes to mind, with each other's ids and identifiers: neither ever sees the other's."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.browser import CHROMIUM, chromium
from tests.conftest import LiveServer, settings_for
from tests.issuers import IssuerKit
from tests.live.couple import Couple, InBrowser, Person, Plain, leaks
from tests.live.queries import Operation


@pytest.fixture(scope="module")
def kit() -> IssuerKit:
    return IssuerKit("id", "CUSTOMER", {"web-page": "web"})


@pytest.fixture(scope="module")
def couple(mongod: EmbeddedDatabase, kit: IssuerKit) -> Iterator[Couple]:
    live = LiveServer(settings_for(mongod, issuers=(kit.settings(),), rate_per_customer="unlimited"))
    with closing(Couple(live.url, {"web": live.key("web"), "desk": live.key("desk", "ASSISTED")}, kit)) as couple:
        yield couple
    live.stop()


def test_neither_sees_anything_of_the_other(couple: Couple) -> None:
    before = couple.answers, couple.own

    with closing(Plain(couple.url, couple.tokens[0])) as first, closing(Plain(couple.url, couple.tokens[1])) as second:
        couple.ask((first, second), times=100)

    assert couple.leaks == []
    assert couple.answers - before[0] == 200
    assert couple.own - before[1] > 10, "too few answers held anything: this shows nothing"


@pytest.mark.skipif(not CHROMIUM, reason="the customers' browsers are Chromium, which is not installed")
def test_neither_sees_anything_of_the_other_in_real_browsers(couple: Couple, tmp_path: Path) -> None:
    profiles = [tmp_path / name for name in ("first", "second")]
    for profile in profiles:
        profile.mkdir()
    before = couple.answers, couple.own

    with chromium(profiles[0]) as one, chromium(profiles[1]) as other:
        pages = [InBrowser(page, couple.url, token) for page, token in zip((one, other), couple.tokens, strict=True)]
        couple.ask((pages[0], pages[1]), times=15)

    assert couple.leaks == []
    assert couple.answers - before[0] == 30
    assert couple.own > before[1], "no answer held anything: this shows nothing"
    assert one.foreign == other.foreign == []


def test_what_the_other_keeps_is_found_wherever_it_is(couple: Couple) -> None:
    me, other = Person(), couple.people[1]
    asked = Operation("query", "{ }", {"v0": {"id": other.id}})
    answers = {
        "data": {"data": {"node": {"id": other.id}}},
        "hidden": {"errors": [{"message": f"no {other.hidden}"}]},
        "cursor": {"data": {"x": f"…{other.cursors[0]}…"}},
        "a name": {"data": {"x": {other.known: 1}}},
        "an id that nobody sent": {"errors": [{"message": f"nothing with {other.actions[0]}"}]},
        "told as it happens": {"type": "next", "payload": {"data": {"x": other.email}}},
    }

    found = {name: bool(leaks(json.dumps(answer), asked, me, other)) for name, answer in answers.items()}

    assert found == dict.fromkeys(answers, True)
    assert leaks(f"('x-anything', '{other.known}')", asked, me, other) == [other.known]


def test_what_somebody_said_itself_is_no_leak(couple: Couple) -> None:
    me, other = Person(), couple.people[1]
    said = {"kind": "email", "value": other.email, "assurance": "CLAIMED"}
    by_id = Operation("query", "{ }", {"v0": {"id": other.id}})
    claiming = Operation("query", "{ }", {"v0": {"identifiers": [said]}})

    assert leaks(json.dumps({"errors": [{"message": f"nothing with {other.id}"}]}), by_id, me, other) == []
    assert leaks(json.dumps({"data": {"claims": [{"value": other.email}]}}), claiming, me, other) == []
    assert leaks(json.dumps({"data": {"claims": [{"value": other.login}]}}), claiming, me, other) != []

"""`steadylight replay`, on small logs."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steadylight import Options
from steadylight_server.cli import census, sending
from steadylight_server.cli.actionlog import Line
from steadylight_server.cli.senders import Senders
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import action, login

from .conftest import Steadylight

Written = Callable[..., Path]


def line(channel: str, *identifiers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """One line of a log."""
    return action(*identifiers, channel=channel, **fields)


def customers(count: int) -> list[dict[str, Any]]:
    """A line each for so many customers, their channels taking turns."""
    return [line(("web", "ivr", "desk")[n % 3], login(f"C-{n}")) for n in range(count)]


def counts(told: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(told[name] for name in ("sent", "stored", "duplicate", "refused", "customers"))


def test_a_log_is_stored_once_however_often_it_is_sent(
    steadylight: Steadylight, written: Written, tmp_path: Path
) -> None:
    log = written(*customers(120), *customers(120))
    data = tmp_path / "data"

    first = steadylight.json("replay", log, "--data", data)
    again = steadylight.json("replay", log, "--data", data)

    assert list(first) == ["sent", "stored", "duplicate", "refused", "customers", "seconds"]
    assert counts(first) == (240, 240, 0, 0, 120)
    assert counts(again) == (240, 0, 240, 0, 120)
    # Its keys end with it.
    assert steadylight.json("key", "list", "--data", data) == []
    assert len(steadylight.json("key", "list", "--ended", "--data", data)) == 8


def test_people_see_a_bar_and_a_summary(environment: str, steadylight: Steadylight, written: Written) -> None:
    said = steadylight("replay", written(*customers(3)))

    assert said.stdout.startswith("3 sent, 3 stored, 0 duplicate, 0 refused, 3 customers; ")
    assert "100%" in said.stderr


def test_a_bad_line_stops_nothing_and_is_named(
    shared_server: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    log = written(
        "{bad",
        line("web", login("C-1")),
        line("web", login("C-2"), id="x"),
        "",
        line("web", login("C-3"), id=float("nan")),
        line("", login("C-4")),
        line("web", {"kind": "email", "value": "a@b.example", "assurance": "CLAIMED"}),
        line("desk", login("C-1")),
    )

    result = steadylight("replay", log, "--url", shared_server.url, "--key", shared_server.admin_key, "--json")

    assert counts(json.loads(result.stdout)) == (7, 2, 0, 5, 1)
    told = sorted(result.stderr.splitlines())
    assert [one.partition(":")[0] for one in told] == [f"line {n} is refused" for n in (1, 3, 5, 6, 7)]
    assert "INVALID: id: Input should be a valid UUID" in told[1]


def test_only_the_first_refusals_are_shown(
    shared_server: LiveServer, steadylight: Steadylight, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_MOST_SHOWN", 2)

    result = steadylight(
        "replay", written(*["[]"] * 5), "--url", shared_server.url, "--key", shared_server.admin_key, "--json"
    )

    assert counts(json.loads(result.stdout)) == (5, 0, 0, 5, 0)
    assert result.stderr.splitlines()[-1] == "... and 3 more lines were refused."
    assert len(result.stderr.splitlines()) == 3


def test_channels_are_registered_by_what_they_do_and_taken_as_they_are(
    server: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    server.key("branch", "ASSISTED", highest="IN_PERSON")
    log = written(line("branch", login("C-1")), line("desk", login("C-1"), actor="AGENT"), line("web", login("C-1")))

    told = steadylight.json("replay", log, "--url", server.url, "--key", server.admin_key)

    found = server.graphql("{ channels { name kind highestAssurance } }", key=server.admin_key)["data"]["channels"]
    assert counts(told) == (3, 3, 0, 0, 1)
    assert [tuple(one.values()) for one in found] == [
        ("branch", "ASSISTED", "IN_PERSON"),
        ("desk", "ASSISTED", "LOGIN"),
        ("web", "SELF_SERVICE", "LOGIN"),
    ]


def test_a_channels_key_sends_its_own_lines_alone(
    server: LiveServer, steadylight: Steadylight, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_KEY", server.key("web"))
    log = written(line("web", login("C-1")), line("ivr", login("C-2")))

    result = steadylight("replay", log, "--url", server.url, "--json")

    assert counts(json.loads(result.stdout)) == (2, 1, 0, 1, 1)
    assert "line 2 is refused: channel: the key speaks for web only, not for ivr" in result.stderr


def test_who_may_not_read_is_told_no_number_of_customers(
    server: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    key = server.key("web", scopes=frozenset({"actions:write"}))

    log = written(line("web", login("C-1")))

    assert counts(steadylight.json("replay", log, "--url", server.url, "--key", key))[3:] == (0, None)
    assert "? customers" in steadylight("replay", log, "--url", server.url, "--key", key).stdout


def test_batches_are_as_large_as_asked_for(server: LiveServer, steadylight: Steadylight, written: Written) -> None:
    log = written(*[line("web", login("C-1")) for _ in range(25)])
    before = requests(server)

    steadylight("replay", log, "--url", server.url, "--key", server.admin_key, "--batch", 10)

    # Who am I, channels, register, three batches, customers.
    assert requests(server) - before == 7


def requests(server: LiveServer) -> float:
    """How many POSTs were answered so far."""
    metrics = httpx.get(f"{server.url}/metrics").text
    return sum(
        float(count) for count in re.findall(r'^steadylight_requests_total{method="POST".*} (.*)$', metrics, re.M)
    )


@pytest.fixture
def strict(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    """A server whose operator allows few aliases."""
    live = LiveServer(settings_for(mongod, max_aliases=3))
    yield live
    live.stop()


def test_a_server_that_allows_less_at_once_is_asked_in_smaller_pieces(
    strict: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    told = steadylight.json("replay", written(*customers(11)), "--url", strict.url, "--key", strict.admin_key)

    assert counts(told) == (11, 11, 0, 0, 11)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--key", "sl_x"), 2, "A key is for a server that runs: give its --url, too."),
        (("--url", "http://127.0.0.1:1", "--data", "x"), 2, "Give the --url of a server, or --data for one here."),
        (("--url", "http://127.0.0.1:1", "--key", "sl_x"), 1, "cannot be reached"),
        (("--url", "nowhere", "--key", "sl_x"), 1, "is not one. Give it whole"),
        (("--batch", "501"), 2, "Input should be less than or equal to 500"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, told: str, steadylight: Steadylight, written: Written
) -> None:
    assert told in steadylight("replay", written(), *arguments, code=code).stderr


def test_an_admins_key_that_may_not_register_is_told(
    shared_server: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    key = shared_server._access("key", None, None, None, frozenset({"customers:read"}))

    said = steadylight("replay", written(), "--url", shared_server.url, "--key", key, code=1).stderr

    assert said.startswith("Error: The key lacks the scope channels:register.")


def test_a_key_that_may_not_record_ends_it(
    shared_server: LiveServer, steadylight: Steadylight, written: Written
) -> None:
    key = shared_server.key("reader", scopes=frozenset({"customers:read"}))
    log = written(line("reader", login("C-1")))

    said = steadylight("replay", log, "--url", shared_server.url, "--key", key, "--json", code=1).stderr

    assert "Error: This credential lacks the scope actions:write" in said


def test_a_channel_that_somebody_else_adds_meanwhile_is_taken_as_it_is(server: LiveServer) -> None:
    class Late(Senders):
        """Looks just before the other one adds it."""

        looks = 0

        def _look_again(self) -> None:
            super()._look_again()
            self.looks += 1
            if self.looks == 1:
                server.key("web", "ASSISTED")

    with Late(server.url, server.admin_key, Options()) as senders:
        senders.of("web", [Line(1, {})])

        assert (senders.looks, len(senders.keys)) == (2, 1)


def test_identifiers_that_are_none_are_not_asked_for() -> None:
    odd = [None, 5, {}, {"kind": "login"}, {"kind": "login", "value": "C-1", "assurance": ["LOGIN"]}]

    assert list(census._identifiers({"identifiers": odd})) == []
    assert list(census._identifiers({"identifiers": "C-1"})) == []

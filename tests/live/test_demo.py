"""What `make demo` shows, story by story, and that nothing of it is left running."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.stories import broadband, deposit, interest, own_page
from examples.stories.stage import Failed

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Played:
    """One run of the demo, in a folder of its own."""

    status: int
    printed: str
    folder: Path

    def story(self, number: int) -> str:
        """What it printed between one title and the next."""
        return re.split(r"^\d\. .*\n", self.printed, flags=re.MULTILINE)[number]

    def screens(self, number: int) -> list[list[str]]:
        """The lines of each framed screen of a story, without the frame."""
        inside = re.findall(r"^╭[^╯]*╯$", self.story(number), re.MULTILINE)
        return [[line.strip("│ ") for line in screen.splitlines()[1:-1] if line.strip("│ ")] for screen in inside]


def started(folder: Path, *names: str) -> subprocess.Popen[str]:
    """The demo, which keeps everything of its own below `folder`."""
    # A directory of its own shows what is left; a short one, since it will hold a socket.
    # Where the SDK would keep what is undelivered, if it were not told of a better place, is looked at as well.
    environment = os.environ | {"TMPDIR": str(folder), "XDG_STATE_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, str(DEMO), *names],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def left_running(folder: Path) -> list[str]:
    """Command lines of processes that mention the folder, or use an app's address in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(process.name) != os.getpid():
            found.append(command.decode(errors="replace"))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty one of a short path, since it will hold a socket, and tmp_path is longer in a worker."""
    with tempfile.TemporaryDirectory(prefix="sl-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """All stories on one server: started once for the tests of this module."""
    with tempfile.TemporaryDirectory(prefix="sl-") as made:
        demo = started(Path(made))
        printed, _ = demo.communicate(timeout=280)
        yield Played(demo.returncode, printed, Path(made))


@pytest.mark.timeout(300)
def test_all_stories_come_out_and_nothing_is_left(played: Played) -> None:
    assert played.status == 0, played.printed
    assert len(re.findall(r"^\d\. ", played.printed, re.MULTILINE)) == 7
    assert left_running(played.folder) == []
    assert list(played.folder.iterdir()) == []


@pytest.mark.timeout(300)
def test_the_agent_is_told_what_the_customer_did_online_and_on_the_phone(played: Played) -> None:
    [screen] = played.screens(1)

    assert "Customer  Mara Lindqvist, C-1001" in screen
    assert "How sure  OTP: they read back a one-time code" in screen
    rows = [re.split(r"  +", line) for line in screen if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert [row[2:] for row in rows] == [
        ["ivr", "contact.ended", "outcome TRANSFERRED"],
        ["ivr", "menu.chosen", "choice adviser"],
        ["ivr", "contact.identified", "kinds customer-number"],
        ["ivr", "call.began", "line service"],
        ["web", "help.searched", "words moving, found 1"],
        ["web", "plan.viewed", "plan fibre-500, price 34.0"],
        ["web", "contact.identified", "kinds customer-number"],
    ]


@pytest.mark.timeout(300)
def test_the_app_knows_of_the_complaint_made_by_phone_and_offers_nothing_against_it(played: Played) -> None:
    before, desk, after, settled = played.screens(2)

    assert before == ["Hello Tom.", "› Roaming pack, 9.90 a week", "› A second SIM card, 5.00 a month"]
    assert desk[1] == "Case      K-2041, open"
    assert re.sub(r" on \w+day\.", ".", " ".join(after)) == (
        "Hello Tom. We are working on your roaming complaint of 09:12. › A second SIM card, 5.00 a month"
    )
    assert settled == before


@pytest.mark.timeout(300)
def test_the_teller_sees_the_deposit_to_the_second(played: Played) -> None:
    [screen] = played.screens(3)

    assert screen[0] == "Customer  Inês Duarte, C-1003  IN_PERSON"
    at, ago, *deposited = re.split(r"  +", screen[-1])
    assert re.fullmatch(r"\d\d \w{3} \d\d:\d\d:\d\d", at)
    assert re.fullmatch(r"\d+ s", ago)
    assert deposited == ["deposit of 190.00 EUR", "cash-machine, CM-17, Harbour Street, card …4711"]


@pytest.mark.timeout(300)
def test_the_customers_own_page_sees_what_is_theirs_and_nobody_elses(played: Played) -> None:
    told = played.story(4)

    assert "viewer is C-1004" in told
    assert "a deposit of 100.00 at a cash machine" in told
    assert "with a forged token: UNAUTHENTICATED" in told
    assert "asks for C-1003, who is a customer, too: NOT_FOUND" in told
    assert "is told while it is open: 50.00 EUR in cash-machine" in told


@pytest.mark.timeout(300)
def test_an_order_goes_from_chat_to_sms_and_nothing_is_asked_twice(played: Played) -> None:
    told = played.story(5)
    remembered, forgotten = told.split("the second channel asked nothing")

    asked = re.findall(r"Record +([\w-]+) +(\w+) +(.+)", remembered)
    assert asked[:6] == [
        ("web-chat", "postcode", "asked"),
        ("web-chat", "speed", "asked"),
        ("web-chat", "day", "asked"),
        ("sms", "postcode", "known already"),
        ("sms", "speed", "known already"),
        ("sms", "day", "asked"),
    ]
    assert "AGAIN" not in remembered
    assert re.findall(r"AGAIN: (\w+)", forgotten) == ["NOT_FETCHED"]


@pytest.mark.timeout(300)
def test_four_channels_show_one_statement_and_a_gap_has_its_reason(played: Played) -> None:
    told = played.story(6)
    first, second = played.screens(6)

    assert "App      balance 1550.00 EUR, 3 bookings" in told
    assert "Your balance is 1550.00 euros. We have sent you the statement." in told
    assert re.search(r"SMS +“Your statement of 2026-10: https://bank.example/s/\w+”", told)
    assert first[-2:] == ["Balance 1550.00 EUR", "Opened before, in bank-web."]
    assert second[-1] == "Plan changed from free to plus."
    assert "The terms of a plan must be seen before it is changed." in told
    assert "The same in bank-app, bank-branch, bank-web, bank-ivr: DONE." in told


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("number", "status", "story", "app"),
    [(signal.SIGINT, 130, "interest", "ivr"), (signal.SIGTERM, 143, "deposit", "server")],
)
def test_a_demo_that_is_stopped_leaves_nothing(
    folder: Path, number: signal.Signals, status: int, story: str, app: str
) -> None:
    demo = started(folder, story)
    until = time.monotonic() + 120
    while not list(folder.glob(f"*/{app}-*.log")):
        assert demo.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)

    demo.send_signal(number)
    printed, _ = demo.communicate(timeout=120)

    assert demo.returncode == status, printed
    assert left_running(folder) == []
    assert list(folder.iterdir()) == []


def test_the_help_lists_the_stories_and_no_other_is_played(folder: Path) -> None:
    helped, refused = started(folder, "--help"), started(folder, "no-such")

    printed, said = helped.communicate(timeout=60)[0], refused.communicate(timeout=60)[0]

    assert re.findall(r"^  ([\w-]+) +[A-Z]", printed, re.MULTILINE) == [
        *("interest", "roaming", "deposit", "own-page", "broadband", "statement", "terms")
    ]
    assert (helped.returncode, refused.returncode) == (0, 2)
    assert "there is no story 'no-such'" in said


@pytest.mark.parametrize(
    "check",
    [
        lambda: interest.check("Mara Lindqvist, C-1001", (NOW, NOW)),
        lambda: deposit.check("Inês Duarte, C-1003  IN_PERSON", (NOW, NOW)),
        lambda: own_page.check({"identifiers": [], "actions": {"nodes": []}}),
        lambda: broadband.check(None, ["What is your postcode?"]),  # type: ignore[arg-type]  # it is not asked
    ],
)
def test_a_screen_that_lacks_something_fails_the_demo(check: Callable[[], None]) -> None:
    with pytest.raises(Failed):
        check()

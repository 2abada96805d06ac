"""A log of actions, read line by line."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from steadylight_server.cli import actionlog
from steadylight_server.cli.actionlog import windows
from steadylight_server.cli.output import Failure

Written = Callable[..., Path]


def test_lines_are_grouped_by_channel_in_windows(written: Written) -> None:
    file = written({"channel": "web", "n": 1}, {"channel": "ivr", "n": 2}, "", {"channel": "web", "n": 4}, "{}")

    first, second = windows(file, 3)

    assert {channel: [tuple(line) for line in lines] for channel, lines in first.lines.items()} == {
        "web": [(1, {"n": 1}), (4, {"n": 4})],
        "ivr": [(2, {"n": 2})],
    }
    assert (first.count, second.count) == (3, 1)
    assert [fault.number for fault in second.faults] == [5]
    assert 0 < first.position <= second.position == file.stat().st_size


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{bad", "not JSON: "),
        ("[1]", "not a JSON object"),
        ('{"type": "plan.viewed"}', "channel: the name of a channel is missing, or is no name"),
        ('{"channel": "Web"}', "channel: the name of a channel is missing, or is no name"),
        ('{"channel": 5}', "channel: the name of a channel is missing, or is no name"),
    ],
)
def test_a_malformed_line_is_a_fault(line: str, told: str, written: Written) -> None:
    (window,) = windows(written(line, {"channel": "web"}), 10)

    assert [(fault.number, fault.message[: len(told)]) for fault in window.faults] == [(1, told)]
    assert [line.number for line in window.lines["web"]] == [2]


def test_a_line_that_is_too_long_is_a_fault_and_takes_no_memory(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actionlog, "_LONGEST_LINE", 20)

    (window,) = windows(written({"channel": "web"}, "x" * 95, {"channel": "web"}), 10)

    assert window.faults == [(2, "longer than 20 bytes")]
    assert [line.number for line in window.lines["web"]] == [1, 3]


def test_gzip_is_known_by_its_content_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(gzip.compress(b'\xef\xbb\xbf{"channel": "web"}'))

    (window,) = windows(file, 10)

    assert [line.number for line in window.lines["web"]] == [1]
    assert window.position == file.stat().st_size


def test_a_file_that_is_cut_off_gives_what_it_has_and_then_fails(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl.gz"
    whole = b"".join(b'{"channel": "web", "n": %d}\n' % n for n in range(20_000))
    file.write_bytes(gzip.compress(whole)[:-2_000])
    taken: list[int] = []

    with pytest.raises(Failure, match=r"cannot be read after line \d+: "):
        taken.extend(window.count for window in windows(file, 1_000))

    assert 1_000 < sum(taken) < 20_000
    assert sum(taken) % 1_000 != 0


def test_an_empty_file_has_no_window_and_a_missing_one_fails(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert list(windows(tmp_path / "empty", 10)) == []
    with pytest.raises(Failure, match="No such file"):
        list(windows(tmp_path / "none", 10))

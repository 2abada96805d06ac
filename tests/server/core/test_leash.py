"""A leashed program runs for its parent, and for no other."""

import os
import subprocess
import sys

from steadylight_server.core import leash


def run(parent: int, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", leash.__file__, str(parent), *command], capture_output=True, text=True, check=False
    )


def test_it_becomes_the_program_with_as_many_open_files_as_are_allowed() -> None:
    result = run(
        os.getpid(), "/bin/sh", "-c", 'test "$(ulimit -Sn)" = "$(ulimit -Hn)" && echo "$1"', "sh", "an argument"
    )

    assert (result.returncode, result.stdout) == (0, "an argument\n")


def test_a_program_whose_parent_is_gone_does_not_begin() -> None:
    result = run(1, "/bin/echo", "began")

    assert (result.returncode, result.stdout) == (1, "")

"""Runs a program that the kernel kills when its parent dies: `python leash.py PARENT_PID PROGRAM ARGUMENT…`.

Run as a script, in a process of its own, by `embedded`. It stands between fork and exec as a program and not as a
`preexec_fn`, because Python code in a freshly forked child of a threaded process can deadlock. It costs about 20 ms.

The kernel watches the *thread* that forked, not its process: that thread must live as long as the program may.
Linux only; elsewhere the program runs without the leash.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>; survives exec


def main() -> None:  # pragma: no cover (in a process of its own; the tests run it there)
    """Becomes PROGRAM, with as many open files as the hard limit allows. Exits 1 if the parent is gone already."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # SIGKILL, because a clean end takes time in which the program would outlive its parent; it has a journal.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the leash was on, so no signal will ever come

    # One file per collection and index, one per connection: the usual soft limit of 1024 is soon reached.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.execv(program[0], program)


if __name__ == "__main__":
    main()

"""Runs a Python module as a child that cannot be forgotten. Standard library only.

    python guard.py watch FD MODULE [ARGUMENT ...]

runs MODULE like `python -m MODULE` and kills it, with its whole process group, as soon as the
pipe FD ends. The starter holds the other end, so whatever kills the starter ends the child too.

    python guard.py detach LOG MODULE [ARGUMENT ...]

runs MODULE in a session of its own that outlives the starter, writing to LOG. It prints its pid and
waits for one byte on standard input: a starter that dies before it noted the pid leaves nothing.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main(mode: str, place: str, module: str, *arguments: str) -> None:
    """Prepare this process for `mode`, then become `module`."""
    if mode == "watch":
        watch(int(place))
    else:
        detach(place)
    sys.argv = [module, *arguments]
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  importing pathlib costs 10 ms of every start
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def watch(pipe: int) -> None:
    """Kill the process group of this process when the writing end of `pipe` is closed."""

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="guard", daemon=True).start()


def detach(log: str) -> None:
    """Go on as a process in a new session; the one that was started prints its pid and ends."""
    pid = os.fork()
    if pid:
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    if not os.read(0, 1):
        os._exit(1)
    os.setsid()
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)


if __name__ == "__main__":
    main(*sys.argv[1:])

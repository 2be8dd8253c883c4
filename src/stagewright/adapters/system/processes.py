"""Which of this host's processes have ended, by what Linux says of them."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_WORLD = ("sys/kernel/random/boot_id", "self/ns/pid", "self/ns/time")
"""Two processes see the same numbers and start times only within one boot and these namespaces."""
_DEAD = {"Z", "X", "x"}
_STATE, _STARTED = 0, 19
"""Places in `/proc/PID/stat` behind the command's name, which may hold anything."""


class SystemProcesses:
    """Processes are named by boot, namespaces, number and start: numbers are used again.

    Where the system does not say all of these, a process has no name, and none is known to have
    ended.
    """

    def __init__(self) -> None:
        self._world = _world()

    def mine(self) -> str:
        """Return the name of this process, empty where it cannot be told apart."""
        stat = _stat(os.getpid())
        if not self._world or stat is None:
            return ""
        return f"{self._world}/{os.getpid()}/{stat[_STARTED]}"

    def ended(self, process: str) -> bool:
        """Whether a process of this host is certain to have ended; False for all others."""
        world, _, rest = process.rpartition("/")[0].rpartition("/")
        started = process.rpartition("/")[2]
        if not self._world or world != self._world or not rest.isdecimal():
            return False
        if not _exists(int(rest)):
            return True
        stat = _stat(int(rest))
        return stat is not None and (stat[_STATE] in _DEAD or stat[_STARTED] != started)


def _world() -> str:
    """Return what the numbers of processes belong to; empty where that is not known."""
    boot, *namespaces = (_PROC / name for name in _WORLD)
    try:
        return "/".join([boot.read_text("ascii").strip(), *map(os.readlink, namespaces)])
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    """Ask by a signal: other users' processes may be hidden in /proc, and still be there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _stat(pid: int) -> list[str] | None:
    """Return what stands behind the name in `/proc/PID/stat`, None where it cannot be read."""
    try:
        found = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return found.rpartition(")")[2].split()

"""Which process is it? A pid alone does not say: the system gives it to somebody else later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

TERMINATE_S = 3.0
POLL_S = 0.01


class ProcessId(BaseModel):
    """A pid with the birth of its process, so that a recycled pid is never taken for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has `pid` now; None when there is none."""
        born = _birth(pid)
        return None if born is None else cls(pid=pid, born=born)

    @property
    def alive(self) -> bool:
        """Does this very process still run? A zombie does not."""
        return _birth(self.pid) == self.born

    def end(self) -> bool:
        """Terminate the process and its group, kill them if need be; False if it was gone."""
        if not self.alive:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(self.pid, number)
            if self._gone_within(TERMINATE_S):
                break
        return True

    def _gone_within(self, limit_s: float) -> bool:
        until = time.monotonic() + limit_s
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(POLL_S)
        return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return


def _birth(pid: int) -> str | None:
    """Something that no other process with this pid shares; None without a running process."""
    if not Path("/proc/self/stat").exists():
        return _birth_by_ps(pid)
    try:
        # The name of the program stands in parentheses and may hold anything, so cut after it.
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks_since_boot = values[0], values[19]
    if state in "ZX":
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{ticks_since_boot}"


def _birth_by_ps(pid: int) -> str | None:
    """As `_birth`, for systems without /proc."""
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()

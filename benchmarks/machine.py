"""What processes use and how busy the machine is otherwise, from the kernel's own accounting."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as the kernel showed it. `cpu_s` holds its ended children, too."""

    pid: int
    parent: int
    cpu_s: float
    born: int
    """Clock ticks since the machine started: tells two processes with one id apart."""


def look(pid: int) -> Seen | None:
    """Return what a process is at this moment, None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    used = sum(int(field) for field in fields[11:15])
    return Seen(pid, int(fields[1]), used / TICKS_PER_S, int(fields[19]))


def family(roots: Sequence[int]) -> list[Seen]:
    """Return the living processes of `roots` with all their descendants."""
    everyone = [seen for entry in Path("/proc").glob("[0-9]*") if (seen := look(int(entry.name)))]
    members = {seen.pid: seen for seen in everyone if seen.pid in roots}
    while more := [s for s in everyone if s.parent in members and s.pid not in members]:
        members |= {seen.pid: seen for seen in more}
    return list(members.values())


def cpu_s(roots: Sequence[int]) -> float:
    """Return user and system time of `roots` and their descendants, living and ended."""
    return sum(seen.cpu_s for seen in family(roots))


def memory_bytes(roots: Sequence[int]) -> int:
    """Return resident memory of the family; a page that several share counts once in all."""
    return sum(_share_bytes(seen.pid) for seen in family(roots))


def _share_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def busy_s() -> float:
    """Return how long the cores of this machine were busy, or taken away, since it started."""
    first = Path("/proc/stat").read_text("utf-8").partition("\n")[0].split()
    user, nice, system, _idle, _waiting, irq, softirq, stolen = (int(f) for f in first[1:9])
    return (user + nice + system + irq + softirq + stolen) / TICKS_PER_S


@dataclass(slots=True)
class Usage:
    """What happened between the two ends of a `watched` block."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    foreign_cores: float = 0.0
    """Cores kept busy by processes that are no descendants of this one."""


@contextmanager
def watched(roots: Sequence[int]) -> Iterator[Usage]:
    """Account for the block: the processor time of `roots`, and that of strangers."""
    usage, mine = Usage(), [os.getpid()]
    started, busy, own, used = time.monotonic(), busy_s(), cpu_s(mine), cpu_s(roots)
    try:
        yield usage
    finally:
        usage.seconds = time.monotonic() - started
        usage.cpu_s = cpu_s(roots) - used
        foreign_s = (busy_s() - busy) - (cpu_s(mine) - own)
        usage.foreign_cores = max(0.0, foreign_s / max(usage.seconds, 0.01))


def foreign_cores(seconds: float) -> float:
    """Return how many cores strangers keep busy, looking for `seconds`."""
    with watched([]) as usage:
        time.sleep(seconds)
    return usage.foreign_cores


def wait_until_quiet(limit_s: float, cores: float) -> bool:
    """Wait until strangers use less than `cores`; return whether that came within `limit_s`."""
    give_up = time.monotonic() + limit_s
    while time.monotonic() < give_up:
        if foreign_cores(min(2.0, limit_s)) < cores:
            return True
    return limit_s <= 0


class PeakMemory:
    """Samples the memory of a family in the background while the block runs."""

    def __init__(self, roots: Sequence[int]) -> None:
        self.bytes = 0
        self._roots = roots
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.bytes = max(self.bytes, memory_bytes(self._roots))


def description() -> str:
    """Return one line about this machine: cores, processor, memory, system, Python."""
    model = "a processor without a name"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{os.cpu_count()} cores ({model}), {pages / 2**30:.0f} GiB, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )

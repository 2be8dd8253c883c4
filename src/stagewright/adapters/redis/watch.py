"""What one process knows of the instants at which something falls due, so that it need not ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

LOOK_EVERY_MS = 1_000
"""What other processes set is noticed after so long, also when no hint of it is heard."""
LOOK_SELDOM_MS = 10_000
"""The same where nothing is in flight and nothing moves: the pause between looks doubles."""


class Watch:
    """Per partition: when to look next. Told of every timer and lease that this process sets."""

    def __init__(self, partitions: int) -> None:
        self._look_at_ms = [0] * partitions
        self._every_ms = [LOOK_EVERY_MS] * partitions
        self._commits = [-1] * partitions
        self._waiting: set[asyncio.Future[None]] = set()

    def falls_due(self, partition: int, at_ms: int) -> None:
        """Note that something falls due; whoever waits for a later instant is woken."""
        self._every_ms[partition] = LOOK_EVERY_MS
        if at_ms < self._look_at_ms[partition]:
            self._look_at_ms[partition] = at_ms
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    def looked(self, partition: int, now_ms: int, next_ms: int | None, commits: int) -> None:
        """Note what a look has shown: the earliest instant, past or future, if any."""
        still = next_ms is None and commits == self._commits[partition]
        every_ms = min(2 * self._every_ms[partition], LOOK_SELDOM_MS) if still else LOOK_EVERY_MS
        self._every_ms[partition], self._commits[partition] = every_ms, commits
        latest = now_ms + every_ms
        self._look_at_ms[partition] = latest if next_ms is None else min(latest, next_ms)

    def watches(self, partition: int, now_ms: int) -> bool:
        """Whether this process looks at a partition itself."""
        return self._look_at_ms[partition] > now_ms - LOOK_EVERY_MS

    def next_look_ms(self, partitions: Iterable[int]) -> int:
        """Return when to look at the first of some partitions."""
        return min((self._look_at_ms[partition] for partition in partitions), default=0)

    def to_look_at(self, partitions: Iterable[int], now_ms: int) -> list[int]:
        """Return the partitions whose time has come."""
        return [number for number in partitions if self._look_at_ms[number] <= now_ms]

    def sooner(self) -> asyncio.Future[None]:
        """Return what is done when something falls due earlier than was known; then `forget` it."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        return waiting

    def forget(self, waiting: asyncio.Future[None]) -> None:
        """Wake it no more."""
        self._waiting.discard(waiting)

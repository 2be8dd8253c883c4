"""What one process knows of the instants at which something falls due, so that it need not ask."""

from __future__ import annotations

from collections.abc import Iterable

LOOK_EVERY_MS = 1_000
"""What other processes set is noticed after so long."""


class Watch:
    """Per partition: when to look next. Told of every timer and lease that this process sets."""

    def __init__(self, partitions: int) -> None:
        self._look_at_ms = [0] * partitions

    def falls_due(self, partition: int, at_ms: int) -> None:
        """Note that something falls due."""
        self._look_at_ms[partition] = min(at_ms, self._look_at_ms[partition])

    def looked(self, partition: int, now_ms: int, next_ms: int | None) -> None:
        """Note what a look has shown: the earliest instant, past or future, if any."""
        latest = now_ms + LOOK_EVERY_MS
        self._look_at_ms[partition] = latest if next_ms is None else min(latest, next_ms)

    def next_look_ms(self, partitions: Iterable[int]) -> int:
        """Return when to look at the first of some partitions."""
        return min((self._look_at_ms[partition] for partition in partitions), default=0)

    def to_look_at(self, partitions: Iterable[int], now_ms: int) -> list[int]:
        """Return the partitions whose time has come."""
        return [number for number in partitions if self._look_at_ms[number] <= now_ms]

"""Notices when a partition lost commits: a counter that goes back, or another incarnation."""

from __future__ import annotations

from collections.abc import Mapping

from stagewright.ports.message_bus import PartitionMark


class Marks:
    """The furthest mark seen of each partition."""

    def __init__(self) -> None:
        self._seen: dict[int, PartitionMark] = {}

    def expect(self, partition: int, incarnation: str) -> None:
        """Note in which incarnation whoever had the partition before has seen it."""
        self._seen.setdefault(partition, PartitionMark(incarnation, 0))

    def losses(self, marks: Mapping[int, PartitionMark]) -> dict[int, str]:
        """Remember marks; return a sentence for each partition that went back."""
        found = {}
        for partition, mark in marks.items():
            before = self._seen.get(partition)
            if before is not None and before.incarnation != mark.incarnation:
                found[partition] = (
                    f"partition {partition}: incarnation {mark.incarnation} in place of "
                    f"{before.incarnation}, whose last commits may be lost "
                    f"({mark.commits} after {before.commits})"
                )
            elif before is not None and mark.commits < before.commits:
                found[partition] = (
                    f"partition {partition}: {before.commits - mark.commits} commits lost "
                    f"({mark.commits} after {before.commits})"
                )
            self._seen[partition] = mark
        return found

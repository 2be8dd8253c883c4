"""How far partitions have come, as this process knows it."""

from __future__ import annotations

from itertools import count

from stagewright.ports.message_bus import PartitionMark


class Marks:
    """The newest mark of every partition.

    Answers can overtake one another on their way: a smaller counter counts as a loss only in an
    answer to a question asked after the greater one had arrived.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[PartitionMark, int]] = {}
        self._ticks = count()

    def ask(self) -> int:
        """Return the moment at which a question is asked."""
        return next(self._ticks)

    def answer(self, partition: int, asked: int, mark: PartitionMark) -> None:
        """Take in an answer."""
        known = self._known.get(partition)
        if known is None or known[1] < asked or mark.commits >= known[0].commits:
            self._known[partition] = (mark, next(self._ticks))

    def of(self, partition: int) -> PartitionMark:
        """Return a partition's mark."""
        return self._known[partition][0]

"""How far partitions have come, as this process knows it."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from stagewright.ports.message_bus import PartitionMark


class Progress(NamedTuple):
    """How far a partition has come, and where."""

    mark: PartitionMark
    history: str
    """Names the server's life in which these commits were counted."""
    begun: int
    """Commits of the partition when that life began."""

    def kept(self, history: str) -> int:
        """Return how many of the commits that were counted in a history are still here."""
        return self.mark.commits if history == self.history else self.begun


class Marks:
    """The newest mark of every partition.

    Answers can overtake one another on their way: a smaller counter counts as a loss only in an
    answer to a question asked after the greater one had arrived.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Progress, int]] = {}
        self._ticks = count()

    def ask(self) -> int:
        """Return the moment at which a question is asked."""
        return next(self._ticks)

    def lost_by(self, partition: int, asked: int, now: Progress) -> Progress | None:
        """Return what was known of a partition when its incarnation has lost some of it."""
        known, at = self._known.get(partition, (now, asked))
        if at >= asked or known.mark.incarnation != now.mark.incarnation:
            return None
        return known if now.kept(known.history) < known.mark.commits else None

    def answer(self, partition: int, asked: int, progress: Progress) -> None:
        """Take in an answer."""
        known = self._known.get(partition)
        commits = progress.mark.commits
        if known is None or known[1] < asked or commits >= known[0].mark.commits:
            self._known[partition] = (progress, next(self._ticks))

    def of(self, partition: int) -> PartitionMark:
        """Return a partition's mark."""
        return self._known[partition][0].mark

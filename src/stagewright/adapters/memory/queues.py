"""Ordered collections with cheap removal: due instants, lanes, an inbox."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from stagewright.ports.task import TaskLease

Key = TypeVar("Key", bound=Hashable)

_SLACK = 64


class Ordered(Generic[Key]):
    """Keys by rank (an instant, or a place in a queue).

    A heap with late deletion: `ranks` is the truth, heap entries that disagree are dropped when
    they surface, and the heap is rebuilt when most of it is waste.
    """

    def __init__(self) -> None:
        self.ranks: dict[Key, int] = {}
        self._heap: list[tuple[int, int, Key]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self.ranks)

    def put(self, key: Key, rank: int) -> None:
        """Add a key or move it; equal ranks keep the order in which they were put."""
        self.ranks[key] = rank
        self._count += 1
        heapq.heappush(self._heap, (rank, self._count, key))
        if len(self._heap) > 2 * len(self.ranks) + _SLACK:
            self._rebuild()

    def drop(self, key: Key) -> bool:
        """Remove a key; whether it was there."""
        return self.ranks.pop(key, None) is not None

    def first(self) -> tuple[int, Key] | None:
        """Return the lowest rank and its key."""
        heap, ranks = self._heap, self.ranks
        while heap and ranks.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return (heap[0][0], heap[0][2]) if heap else None

    def until(self, rank: int, limit: int) -> list[tuple[int, Key]]:
        """Return at most `limit` keys up to a rank, lowest first. Changes nothing."""
        taken: dict[Key, tuple[int, int, Key]] = {}
        while len(taken) < limit and (found := self.first()) and found[0] <= rank:
            entry = heapq.heappop(self._heap)
            taken.setdefault(entry[2], entry)  # a key moved there and back has two entries
        for entry in taken.values():
            heapq.heappush(self._heap, entry)
        return [(entry[0], entry[2]) for entry in taken.values()]

    def _rebuild(self) -> None:
        kept: dict[Key, tuple[int, int, Key]] = {}
        for entry in sorted(self._heap):
            if self.ranks.get(entry[2]) == entry[0]:
                kept.setdefault(entry[2], entry)
        self._heap = list(kept.values())  # sorted, and so a heap


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in an inbox. `arrival` orders messages over all partitions."""

    arrival: int
    position: int
    workflow_id: str
    body: bytes
    lease: TaskLease | None


class Inbox:
    """The messages of one partition by position, 1 upwards."""

    def __init__(self) -> None:
        self._messages: OrderedDict[int, Waiting] = OrderedDict()
        self._last = 0

    def append(
        self, arrival: int, workflow_id: str, body: bytes, lease: TaskLease | None = None
    ) -> None:
        """Put a message at the end."""
        self._last += 1
        self._messages[self._last] = Waiting(arrival, self._last, workflow_id, body, lease)

    def pop(self, position: str) -> Waiting | None:
        """Delete a message and return it, None when it is gone."""
        return self._messages.pop(int(position), None)

    def after(self, position: str) -> Iterator[Waiting]:
        """Yield the messages behind a position, oldest first; "" from the beginning."""
        read = int(position or 0)
        first = next(iter(self._messages), self._last + 1)
        if read < first:
            yield from self._messages.values()
            return
        for at in range(read + 1, self._last + 1):
            if (message := self._messages.get(at)) is not None:
                yield message

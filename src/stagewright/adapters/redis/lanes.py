"""Which partitions to ask for tasks.

A claim must be right without knowing anything: then all partitions are asked what they offer, and
the free slots are allotted to the most urgent, which costs two round trips. What this process has
seen (its own commits, hints, claims that came back full) lets it guess where the tasks are, claim
there at once, and ask the others in the same round trip what they offer. Of a partition whose hints
this process hears, an empty answer holds for a while: what is queued there meanwhile is heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stagewright.ports.task_queue import Want

PRIORITIES = (0, 1, 2, 3)
QUIET_MS = 1_000
"""So long an empty answer is believed; a connection may be dead before its owner notices."""

Offer = Sequence[Sequence[int]]
"""Per want: the numbers of tasks that wait at priorities 0 to 3."""
Quota = list[int]
"""Per want: the number of tasks to claim."""


class Lanes:
    """Partitions that seem to have tasks, by lane, with the highest priority seen there."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, int]] = {}
        self._empty: dict[int, dict[str, int]] = {}
        """By partition: lanes that were found empty, each with the end (ms) of that belief."""
        self.hears: Callable[[int], bool] = lambda _: False
        """Whether hints of a partition reach this process."""

    def note(self, lane: str, partition: int, priority: int) -> None:
        """A task seems to wait there."""
        seen = self._seen.setdefault(lane, {})
        if priority < seen.get(partition, len(PRIORITIES)):
            seen[partition] = priority

    def forget(self, lanes: Sequence[str], partition: int) -> None:
        """A claim there is under way: only what is noted after it counts."""
        for lane in lanes:
            seen = self._seen.get(lane)
            if seen is not None and seen.pop(partition, None) is not None and not seen:
                del self._seen[lane]

    def found_empty(self, lanes: Sequence[str], partition: int, now_ms: int) -> None:
        """Nothing waits in these lanes; what was noted since the question was put still counts."""
        self._empty.setdefault(partition, {}).update(dict.fromkeys(lanes, now_ms + QUIET_MS))

    def quiet(self, lanes: Sequence[str], partition: int, now_ms: int) -> bool:
        """Whether it is known without asking that nothing waits in these lanes."""
        empty = self._empty.get(partition)
        if empty is None or not self.hears(partition):
            return False
        return all(empty.get(lane, 0) > now_ms for lane in lanes)

    def best(self, want: Want, *, lowest_first: bool) -> list[int]:
        """Return the partitions that seem to have the tasks that come first."""
        found: dict[int, int] = {}
        choose: Callable[[int, int], int] = max if lowest_first else min
        for lane in want.lanes:
            for partition, priority in self._seen.get(lane, {}).items():
                found[partition] = choose(priority, found.get(partition, priority))
        if not found:
            return []
        first = max(found.values()) if lowest_first else min(found.values())
        return [partition for partition, priority in found.items() if priority == first]


def share(slots: int, partitions: Sequence[int], turn: int) -> dict[int, int]:
    """Split slots evenly; what does not divide goes to others at every turn."""
    if not partitions:
        return {}
    each, rest = divmod(slots, len(partitions))
    count = len(partitions)
    order = [partitions[(turn + place) % count] for place in range(count)]
    shares = {partition: each + (place < rest) for place, partition in enumerate(order)}
    return {partition: slots for partition, slots in shares.items() if slots}


def allot(
    offers: Mapping[int, Offer], slots: Sequence[int], turn: int, *, lowest_first: bool
) -> dict[int, Quota]:
    """Return what to claim where: the most urgent first, of one priority as evenly as possible."""
    quotas: dict[int, Quota] = {}
    for number, free in enumerate(slots if offers else ()):
        for priority in reversed(PRIORITIES) if lowest_first else PRIORITIES:
            waiting = {
                partition: count
                for partition, offer in offers.items()
                if (count := offer[number][priority])
            }
            if not waiting:
                continue
            for partition, taken in _level(waiting, free, turn).items():
                quotas.setdefault(partition, [0] * len(slots))[number] += taken
                free -= taken  # noqa: PLW2901  # what is left for the next priority
    return quotas


def _level(waiting: Mapping[int, int], slots: int, turn: int) -> dict[int, int]:
    """Take from those who have, evenly, until the slots are used up or nobody has any more."""
    taken = dict.fromkeys(waiting, 0)
    while slots > 0:
        having = sorted(number for number, count in waiting.items() if count > taken[number])
        if not having:
            break
        for partition, some in share(slots, having, turn).items():
            some_left = min(some, waiting[partition] - taken[partition])
            taken[partition] += some_left
            slots -= some_left
    return {partition: count for partition, count in taken.items() if count}

"""Choosing tasks to lease inside a transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.domain import ids
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim, Want

PRIORITIES = (0, 1, 2, 3)

_Queues = dict[int, list[deque[int]]]
"""By priority, the places of the oldest tasks of each partition that has some."""


class Claims:
    """Leases tasks: by priority, within one the oldest, from all partitions in turn."""

    def __init__(self, partitions: int, hints: Hints) -> None:
        self._partitions, self._hints = partitions, hints
        self._turn = 0

    def take(self, transaction: Transaction, claim: Claim, now_ms: int) -> list[ClaimedTask]:
        """Lease what a claim wants, as far as it is there."""
        lease_ms = round(claim.lease_s * 1000)
        leased = [
            self._lease(transaction, (place, claim.holder, now_ms, lease_ms))
            for want in claim.wants
            for place in self._pick(transaction, want, lowest_first=claim.lowest_first)
        ]
        if leased:
            self._watch(transaction, leased)
        return leased

    def _pick(self, transaction: Transaction, want: Want, *, lowest_first: bool) -> list[int]:
        """Return the places of at most `slots` tasks."""
        queues = self._look(transaction, want, lowest_first=lowest_first)
        picked: list[int] = []
        for priority in sorted(queues, reverse=lowest_first):
            picked.extend(_in_turns(queues[priority], want.slots - len(picked)))
        return picked

    def _look(self, transaction: Transaction, want: Want, *, lowest_first: bool) -> _Queues:
        """Return enough candidates; every call starts at another partition."""
        queues: _Queues = {}
        self._turn += 1
        for offset in range(self._partitions):
            partition = (self._turn + offset) % self._partitions
            found: dict[int, list[int]] = {}
            for priority, place in _candidates(
                transaction, partition, want, lowest_first=lowest_first
            ):
                found.setdefault(priority, []).append(place)
            for priority, places in found.items():
                queues.setdefault(priority, []).append(deque(sorted(places)))
        return queues

    def _lease(self, transaction: Transaction, values: tuple[int, str, int, int]) -> ClaimedTask:
        place, *rest = values
        ((*fields,),) = transaction.rows("lease_task", (place, transaction.next_number(), *rest))
        return ClaimedTask(*fields)

    def _watch(self, transaction: Transaction, leased: list[ClaimedTask]) -> None:
        ends: dict[int, int] = {}
        for task in leased:
            partition = ids.partition_of(task.task_id)
            ends[partition] = min(task.expires_at_ms, ends.get(partition, task.expires_at_ms))
        for partition, at_ms in ends.items():
            transaction.after_commit(self._hints.falls_due, partition, at_ms)


def _candidates(
    transaction: Transaction, partition: int, want: Want, *, lowest_first: bool
) -> Iterator[tuple[int, int]]:
    for lane in want.lanes if want.slots > 0 else ():
        values = (partition, lane, want.slots)
        if lowest_first:
            for priority in PRIORITIES:
                yield from transaction.rows("claimable_of_priority", (*values, priority))
        else:
            yield from transaction.rows("claimable", values)


def _in_turns(queues: list[deque[int]], wanted: int) -> Iterator[int]:
    """Yield the first of each queue in turn, at most so many."""
    while wanted > 0 and queues:
        for queue in queues[:wanted]:
            yield queue.popleft()
        wanted -= len(queues[:wanted])
        queues = [queue for queue in queues if queue]

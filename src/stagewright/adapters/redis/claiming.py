"""One claim, over as many round trips as it takes: see `lanes` for how partitions are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from stagewright.adapters.redis.connection import Argument
from stagewright.adapters.redis.lanes import PRIORITIES, Lanes, Offer, Quota, allot, share
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim

_VALUES_PER_TASK = 9


class Claiming:
    """What is still wanted and what was leased."""

    def __init__(self, claim: Claim, lanes: Lanes, turn: int, now_ms: int) -> None:
        self.claim = claim
        self.left = [max(0, want.slots) for want in claim.wants]
        self._tasks: list[tuple[int, ClaimedTask]] = []
        self._lanes, self._turn, self._now_ms = lanes, turn, now_ms
        self.lanes = [lane for want in claim.wants for lane in want.lanes]
        """All lanes, want by want."""

    @property
    def tasks(self) -> list[ClaimedTask]:
        """What was leased: want by want, in the order of urgency."""
        sign = -1 if self.claim.lowest_first else 1
        found = sorted(self._tasks, key=lambda row: (row[0], sign * row[1].priority))
        return [task for _, task in found]

    @property
    def satisfied(self) -> bool:
        """Whether no slot is free any more."""
        return not any(self.left)

    def guess(self) -> dict[int, Quota]:
        """Return what to claim where, by what this process has seen."""
        quotas: dict[int, Quota] = {}
        for number, want in enumerate(self.claim.wants):
            likely = self._lanes.best(want, lowest_first=self.claim.lowest_first)
            for partition, slots in share(self.left[number], sorted(likely), self._turn).items():
                quotas.setdefault(partition, [0] * len(self.left))[number] = slots
        return quotas

    def unknown(self, partition: int) -> bool:
        """Whether a partition must be asked what it offers."""
        return not self._lanes.quiet(self.lanes, partition, self._now_ms)

    def choose(self, offers: dict[int, Offer]) -> dict[int, Quota]:
        """Return what to claim where, by what the partitions offered; note what remains there."""
        for partition, offer in offers.items():
            self._note(partition, offer)
        return allot(offers, self.left, self._turn, lowest_first=self.claim.lowest_first)

    def _note(self, partition: int, offer: Offer) -> None:
        empty: list[str] = []
        for want, waiting in zip(self.claim.wants, offer, strict=True):
            urgent = next((priority for priority in PRIORITIES if waiting[priority]), None)
            if urgent is None:
                empty += want.lanes
            if urgent is not None:
                for lane in want.lanes:
                    self._lanes.note(lane, partition, urgent)
        self._lanes.found_empty(empty, partition, self._now_ms)

    def arguments(self, partition: int, quota: Quota) -> list[Argument]:
        """Return the arguments of a claim, for the wants that have a quota there."""
        claim = self.claim
        lease_ms = round(claim.lease_s * 1000)
        holder = claim.holder.replace("\0", "")
        arguments: list[Argument] = [self._now_ms, lease_ms, holder, int(claim.lowest_first)]
        for want, slots in zip(claim.wants, quota, strict=True):
            if slots:
                self._lanes.forget(want.lanes, partition)
                arguments += (slots, len(want.lanes), *want.lanes)
        return arguments

    def took(
        self, partition: int, quota: Quota, values: Sequence[Any], counts: Sequence[int]
    ) -> bool:
        """Take in what a claim answered; whether the partition may have more of what is wanted."""
        leased, wants = _leased(values), self.claim.wants
        asked = [number for number, slots in enumerate(quota) if slots]
        more = False
        rest = [
            lane
            for number, count in zip(asked, counts, strict=True)
            if count < quota[number]
            for lane in wants[number].lanes
        ]
        self._lanes.found_empty(rest, partition, self._now_ms)
        for number, count in zip(asked, counts, strict=True):
            self.left[number] -= count
            mine = list(islice(leased, count))
            self._tasks += ((number, task) for task in mine)
            if count == quota[number]:
                more |= self.left[number] > 0
                for lane in wants[number].lanes:
                    self._lanes.note(lane, partition, mine[-1].priority)
        return more

    def offered(self, counts: Sequence[int]) -> Offer:
        """Read what a partition offers: four numbers per lane, or nothing at all."""
        offer = [[0] * len(PRIORITIES) for _ in self.claim.wants]
        rest = iter(counts)
        for want, waiting in zip(self.claim.wants, offer, strict=True):
            for _ in want.lanes if counts else ():
                for priority in PRIORITIES:
                    waiting[priority] += next(rest)
        return offer


def _leased(values: Sequence[Any]) -> Iterator[ClaimedTask]:
    for at in range(0, len(values), _VALUES_PER_TASK):
        task, token, lane, priority, body, queued, expires, deadline, lost = values[
            at : at + _VALUES_PER_TASK
        ]
        yield ClaimedTask(
            task.decode(), token, lane.decode(), priority, body, queued, expires, deadline, lost
        )

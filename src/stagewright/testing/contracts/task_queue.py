"""What every task queue must do: lanes and claims here, leases beside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from stagewright.domain import ids
from stagewright.ports.backend import Backend
from stagewright.ports.task import ClaimedTask, NewTask, TaskRecord
from stagewright.ports.task_queue import Claim, LaneDepth, Want
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    LANE,
    claim,
    claimed_one,
    inspected,
    queued,
    task,
    workflow,
)
from stagewright.testing.contracts.task_advance import AdvanceContract
from stagewright.testing.contracts.task_leases import LeaseContract

ONE = workflow(1)


def names(tasks: Sequence[ClaimedTask | NewTask | TaskRecord]) -> list[str]:
    """Return task ids."""
    return [found.task_id for found in tasks]


def spread(
    count: int, *, partition: int | None = None, first: int = 0, priority: int = 2
) -> list[NewTask]:
    """Return tasks of one workflow each, in one partition or in all of them in turn."""
    numbers = range(first, first + count)
    return [
        task(workflow(n, n % 4 if partition is None else partition), priority=priority)
        for n in numbers
    ]


class ClaimContract:
    """Claims take what is most urgent, then what is oldest, and never more than is wanted."""

    async def test_a_claim_on_empty_lanes_returns_nothing_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []

    async def test_a_claimed_task_tells_all_its_runner_needs(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        new = task(ONE, priority=1, timeout_s=60, body=b"\x00 body")
        queued_at_ms = clock.now_ms()
        await queued(backend, clock, new)
        clock.set_ms(queued_at_ms + 5_000)
        found = await claimed_one(backend, clock, lease_s=30)
        assert (found.task_id, found.lane, found.priority) == (new.task_id, LANE, 1)
        assert (found.body, found.lost) == (b"\x00 body", 0)
        assert found.token > 0
        assert found.queued_at_ms == queued_at_ms
        assert found.expires_at_ms == queued_at_ms + 35_000
        assert found.deadline_at_ms == queued_at_ms + 65_000

    async def test_a_lease_never_runs_beyond_the_tasks_timeout(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE, timeout_s=2.5))
        found = await claimed_one(backend, clock, lease_s=30)
        assert found.expires_at_ms == found.deadline_at_ms == clock.now_ms() + 2_500

    async def test_a_task_is_claimed_once(self, backend: Backend, clock: VirtualClock) -> None:
        await queued(backend, clock, *spread(20))
        calls = (backend.tasks.claim(claim(slots=3), clock.now_ms()) for _ in range(12))
        claimed = [found for answer in await asyncio.gather(*calls) for found in answer]
        assert sorted(names(claimed)) == sorted(names(spread(20)))

    async def test_a_claim_never_takes_more_than_the_free_slots(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, *spread(20))
        sizes = [len(await backend.tasks.claim(claim(slots=n), clock.now_ms())) for n in (0, 1, 7)]
        assert sizes == [0, 1, 7]

    async def test_tasks_of_one_lane_leave_it_in_the_order_they_came(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        new = spread(12, partition=2)
        await queued(backend, clock, *new)
        claimed = [await backend.tasks.claim(claim(slots=5), clock.now_ms()) for _ in range(3)]
        assert [name for answer in claimed for name in names(answer)] == names(new)

    async def test_tasks_queued_in_the_same_commit_keep_their_order(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        new = [task(ONE, f"stage-{9 - n}") for n in range(10)]
        await queued(backend, clock, *new)
        assert names(await backend.tasks.claim(claim(), clock.now_ms())) == names(new)

    async def test_urgent_tasks_are_claimed_before_a_backlog_of_others(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        for number, priority in enumerate((3, 2, 1, 0)):
            backlog = spread(5, partition=1, first=10 * number, priority=priority)
            await queued(backend, clock, *backlog)
        claimed = await backend.tasks.claim(claim(slots=20), clock.now_ms())
        assert [found.priority for found in claimed] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5

    async def test_urgency_counts_across_partitions(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        urgent = workflow(100, 3)
        for partition in range(4):
            backlog = spread(5, partition=partition, first=10 * partition, priority=3)
            await queued(backend, clock, *backlog)
        await queued(backend, clock, task(urgent, priority=0))
        assert (await claimed_one(backend, clock, slots=1)).task_id == f"{urgent}/build/1/1"

    async def test_a_claim_may_look_at_the_least_urgent_first(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        for priority in (0, 3, 1, 2):
            backlog = spread(2, partition=1, first=10 * priority, priority=priority)
            await queued(backend, clock, *backlog)
        answer = await backend.tasks.claim(claim(slots=5, lowest_first=True), clock.now_ms())
        assert [found.priority for found in answer] == [3, 3, 2, 2, 1]
        assert names(answer)[:2] == names(spread(2, partition=1, first=30))

    async def test_one_call_serves_every_partition_that_has_tasks(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        for partition in range(4):
            await queued(backend, clock, *spread(10, partition=partition, first=10 * partition))
        answer = await backend.tasks.claim(claim(slots=8), clock.now_ms())
        assert Counter(ids.partition_of(found.task_id) for found in answer).keys() == {0, 1, 2, 3}
        assert len(answer) == 8

    async def test_small_claims_leave_no_partition_behind(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        for partition in range(4):
            await queued(backend, clock, *spread(10, partition=partition, first=10 * partition))
        answers = [await claimed_one(backend, clock, slots=1) for _ in range(8)]
        assert {ids.partition_of(found.task_id) for found in answers} == {0, 1, 2, 3}

    async def test_only_wanted_lanes_are_claimed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lanes = ("build@1.0", "build@1.1", "build@2.0", "buil@1.0", "test@1.0")
        await queued(
            backend, clock, *(task(ONE, f"s{n}", lane=lane) for n, lane in enumerate(lanes))
        )
        wanted = claim("build@1.0", "build@1.1", "build@1.2")
        claimed = await backend.tasks.claim(wanted, clock.now_ms())
        assert sorted(found.lane for found in claimed) == ["build@1.0", "build@1.1"]

    async def test_of_several_wanted_lanes_the_oldest_tasks_are_claimed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lanes = ("build@1.1", "build@1.0", "build@1.2", "build@1.1", "build@1.0", "build@1.2")
        new = [task(workflow(n, 2), lane=lane) for n, lane in enumerate(lanes)]
        for each in new:
            await queued(backend, clock, each)
            clock.set_ms(clock.now_ms() + 5)
        wanted = claim("build@1.0", "build@1.1", "build@1.2", slots=4)
        assert names(await backend.tasks.claim(wanted, clock.now_ms())) == names(new[:4])

    async def test_each_want_fills_its_own_slots(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        builds = [task(workflow(n, n % 4), lane="build@1.0") for n in range(9)]
        tests = [task(workflow(n, n % 4), "test", lane="test@1.0") for n in range(9)]
        await queued(backend, clock, *builds, *tests)
        wants = (Want(("build@1.0",), 2), Want(("test@1.0", "test@1.1"), 3), Want(("no@1.0",), 5))
        answer = await backend.tasks.claim(Claim("worker", wants, 30), clock.now_ms())
        assert Counter(found.lane for found in answer) == {"build@1.0": 2, "test@1.0": 3}

    async def test_tokens_rise_with_every_claim_in_a_partition(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, *spread(6, partition=2))
        answers = [await backend.tasks.claim(claim(slots=2), clock.now_ms()) for _ in range(3)]
        tokens = [found.token for answer in answers for found in answer]
        assert tokens == sorted(set(tokens))


class LaneContract:
    """What waits can be looked at without changing it."""

    async def test_a_queued_task_knows_its_place_in_the_lane(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        new = spread(4, partition=1)
        await queued(backend, clock, *new, task(workflow(50, 1), priority=3))
        await claimed_one(backend, clock, slots=1)
        wanted = [workflow(n, 1) for n in (0, 1, 3, 50)]
        records = [record for (record,) in await backend.tasks.inspect(wanted)]
        assert [record.position for record in records] == [None, 0, 2, 0]
        assert [record.state for record in records] == ["leased", "queued", "queued", "queued"]

    async def test_a_record_follows_its_task(self, backend: Backend, clock: VirtualClock) -> None:
        now_ms = clock.now_ms()
        await queued(backend, clock, task(ONE, priority=1))
        (before,) = await inspected(backend, ONE)
        found = await claimed_one(backend, clock)
        (after,) = await inspected(backend, ONE)
        name = f"{ONE}/build/1/1"
        waiting = (None, now_ms, None, None, None, 0)
        assert before == TaskRecord(name, "queued", LANE, 1, 0, *waiting, position=0)
        running = ("worker-1", now_ms, now_ms, now_ms + 30_000, now_ms + 60_000, 0)
        assert after == TaskRecord(name, "leased", LANE, 1, found.token, *running)

    async def test_inspection_answers_in_the_order_asked_for(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        two = workflow(2, 3)
        await queued(backend, clock, task(ONE), task(two), task(two, "lint"))
        answer = await backend.tasks.inspect([two, workflow(9), ONE])
        assert [len(records) for records in answer] == [2, 0, 1]
        assert list(await backend.tasks.inspect([])) == []

    async def test_depths_count_what_is_queued_by_lane_and_priority(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        now_ms = clock.now_ms()
        assert list(await backend.tasks.depths()) == []
        await queued(backend, clock, *spread(5, priority=1))
        clock.set_ms(now_ms + 500)
        other_lane = task(workflow(50), lane="test@1.0")
        await queued(backend, clock, *spread(2, first=10, priority=3), other_lane)
        await backend.tasks.claim(claim("test@1.0"), clock.now_ms())
        depths = sorted(await backend.tasks.depths(), key=lambda depth: depth.priority)
        assert depths == [LaneDepth(LANE, 1, 5, now_ms), LaneDepth(LANE, 3, 2, now_ms + 500)]

    async def test_the_oldest_of_a_lane_is_the_oldest_that_still_waits(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, *spread(1, partition=0))
        clock.set_ms(clock.now_ms() + 1_000)
        await queued(backend, clock, *spread(1, partition=0, first=1))
        await claimed_one(backend, clock, slots=1)
        (depth,) = await backend.tasks.depths()
        assert (depth.queued, depth.oldest_at_ms) == (1, clock.now_ms())


class TaskQueueContract(ClaimContract, LaneContract, LeaseContract, AdvanceContract):
    """All of it."""

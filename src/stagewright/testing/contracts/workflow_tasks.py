"""What commits do to tasks."""

from __future__ import annotations

from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.task_queue import Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    LANE,
    claim,
    claimed_one,
    committed,
    inspected,
    lease_of,
    observed,
    start,
    task,
    then,
    workflow,
)

ONE = workflow(1)


class CommittedTasksContract:
    """Tasks are queued, closed, suspended and resumed by commits only."""

    async def test_a_new_task_can_be_claimed_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE, new_tasks=(task(ONE),)))
        assert (await claimed_one(backend, clock)).task_id == f"{ONE}/build/1/1"

    async def test_a_task_that_exists_is_left_exactly_as_it_is(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE), task(ONE, "lint", lane="lint@1.0")))
        await committed(backend, clock, first)
        await claimed_one(backend, clock)
        before = await inspected(backend, ONE)
        again = tuple(but(new, priority=0, body=b"other") for new in first.new_tasks)
        await committed(backend, clock, then(first, new_tasks=again))
        assert await inspected(backend, ONE) == before

    async def test_a_repair_re_emits_what_is_missing_and_records_no_step(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        both = (task(ONE), task(ONE, "lint"))
        repair = but(first, expected_step_id=first.step_id, log=(), new_tasks=both)
        await committed(backend, clock, repair)
        await committed(backend, clock, repair)
        found = [record.task_id for record in await inspected(backend, ONE)]
        assert found == [f"{ONE}/build/1/1", f"{ONE}/lint/1/1"]
        assert list(await backend.store.log(ONE)) == list(first.log)
        assert len(await backend.tasks.claim(claim(), clock.now_ms())) == 2

    async def test_a_closed_task_is_gone_whatever_state_it_was_in(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lanes = [but(task(ONE, name), lane=f"{name}@1.0") for name in ("a", "b", "c")]
        first = start(ONE, new_tasks=tuple(lanes))
        await committed(backend, clock, first)
        await backend.tasks.claim(claim("a@1.0"), clock.now_ms())
        done = await claimed_one(backend, clock, "b@1.0")
        finished = Completion(done.task_id, done.token, b"result")
        await backend.tasks.complete([finished], None, clock.now_ms())
        closing = tuple(new.task_id for new in lanes)
        await committed(backend, clock, then(first, closed_tasks=(*closing, f"{ONE}/never/1/1")))
        assert await inspected(backend, ONE) == []
        assert list(await backend.tasks.depths()) == []
        everywhere = claim("a@1.0", "b@1.0", "c@1.0")
        assert list(await backend.tasks.claim(everywhere, clock.now_ms())) == []

    async def test_a_lease_ends_when_its_task_is_closed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lease = lease_of(await claimed_one(backend, clock))
        await committed(backend, clock, then(first, closed_tasks=(lease.task_id,)))
        late = Completion(lease.task_id, lease.token, b"late")
        answer = await backend.tasks.complete([late], None, clock.now_ms())
        assert list(answer.accepted) == [False]
        assert list(await backend.tasks.extend([lease], 30, clock.now_ms())) == [None]
        seen = await observed(backend, clock, ONE)
        assert seen["expired"] == seen["messages"] == []

    async def test_one_commit_closes_a_task_and_queues_the_next_attempt(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        retry = but(task(ONE), task_id=f"{ONE}/build/1/2")
        old = first.new_tasks[0].task_id
        await committed(backend, clock, then(first, closed_tasks=(old,), new_tasks=(retry,)))
        assert (await claimed_one(backend, clock)).task_id == retry.task_id

    async def test_suspending_takes_queued_tasks_out_of_their_lanes(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, suspended=True))
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []
        assert list(await backend.tasks.depths()) == []
        assert [record.state for record in await inspected(backend, ONE)] == ["suspended"]

    async def test_a_task_queued_for_a_suspended_workflow_waits_for_its_resumption(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, suspended=True, new_tasks=(task(ONE),))
        second = then(first, new_tasks=(task(ONE, "lint"),))
        await committed(backend, clock, first)
        await committed(backend, clock, second)
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []
        await committed(backend, clock, then(second, suspended=False))
        assert len(await backend.tasks.claim(claim(), clock.now_ms())) == 2

    async def test_a_suspended_task_keeps_its_lane_and_priority(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, suspended=True, new_tasks=(task(ONE, priority=0),))
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, suspended=False))
        (depth,) = await backend.tasks.depths()
        assert (depth.lane, depth.priority, depth.queued) == (LANE, 0, 1)

    async def test_suspending_one_workflow_leaves_others_alone(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        other = workflow(2)
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first, start(other, new_tasks=(task(other),)))
        await committed(backend, clock, then(first, suspended=True))
        assert (await claimed_one(backend, clock)).task_id == f"{other}/build/1/1"

    async def test_a_leased_task_of_a_suspended_workflow_may_finish(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lease = lease_of(await claimed_one(backend, clock))
        await committed(backend, clock, then(first, suspended=True))
        assert None not in await backend.tasks.extend([lease], 30, clock.now_ms())
        result = Completion(lease.task_id, lease.token, b"result")
        answer = await backend.tasks.complete([result], None, clock.now_ms())
        assert list(answer.accepted) == [True]

    async def test_a_commit_that_says_nothing_of_suspension_leaves_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, suspended=True, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        await committed(backend, clock, then(first))
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []

"""What committing steps and claiming in one call must do."""

from __future__ import annotations

from typing import Any

from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import Topic
from stagewright.ports.task import TaskLease
from stagewright.ports.task_queue import Advanced
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import (
    claim,
    claimed_one,
    committed,
    inspected,
    lease_of,
    queued,
    start,
    task,
    then,
    workflow,
)

ONE, TWO = workflow(1), workflow(2, 3)


async def advanced(
    backend: Backend, clock: VirtualClock, *commits: Commit, **parts: Any
) -> Advanced:
    """Commit, and claim as `parts` say."""
    return await at_once(backend.tasks.advance(commits, claim(**parts), clock.now_ms()))


async def underway(backend: Backend, clock: VirtualClock, id_: str) -> tuple[Commit, TaskLease]:
    """Start a workflow and claim its task; return the start and the lease."""
    first = start(id_, new_tasks=(task(id_, "a"),))
    await committed(backend, clock, first)
    return first, lease_of(await claimed_one(backend, clock))


def step(first: Commit, lease: TaskLease, **parts: Any) -> Commit:
    """Return the step that ends a task and queues the next."""
    next_task = task(first.workflow_id, "b")
    fields = {"fences": (lease,), "closed_tasks": (lease.task_id,), "new_tasks": (next_task,)}
    return then(first, **(fields | parts))


class AdvanceContract:
    """Steps are committed as the store commits them, and the next tasks claimed behind them."""

    async def test_a_task_that_a_step_queues_is_claimed_in_the_same_call(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        answer = await advanced(backend, clock, step(first, lease))
        assert list(answer.verdicts) == [Verdict.COMMITTED]
        (found,) = answer.claimed
        assert (found.task_id, found.token > lease.token) == (f"{ONE}/b/1/1", True)
        (record,) = await inspected(backend, ONE)
        assert (record.state, record.token, record.holder) == ("leased", found.token, "worker-1")

    async def test_steps_of_several_partitions_and_their_next_tasks_are_one_call(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        underways = [await underway(backend, clock, workflow(n, n % 4)) for n in range(8)]
        answer = await advanced(backend, clock, *(step(*one) for one in underways))
        assert list(answer.verdicts) == [Verdict.COMMITTED] * 8
        assert {found.task_id for found in answer.claimed} == {
            f"{workflow(n, n % 4)}/b/1/1" for n in range(8)
        }

    async def test_a_step_that_is_refused_changes_nothing_and_the_claim_goes_on(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        await queued(backend, clock, task(TWO))
        stale = but(step(first, lease), expected_step_id="another")
        wrong = step(first, TaskLease(lease.task_id, lease.token + 1))
        for commit, expected in ((stale, Verdict.CONFLICT), (wrong, Verdict.FENCED)):
            answer = await advanced(backend, clock, commit, slots=1)
            assert list(answer.verdicts) == [expected]
        (record,) = await inspected(backend, ONE)
        assert (record.task_id, record.state) == (lease.task_id, "leased")
        (other,) = await inspected(backend, TWO)
        assert other.state == "leased"

    async def test_what_waits_more_urgently_comes_before_what_the_step_queued(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        await queued(backend, clock, task(workflow(7), "urgent", priority=0))
        answer = await advanced(backend, clock, step(first, lease), slots=1)
        assert [found.task_id for found in answer.claimed] == [f"{workflow(7)}/urgent/1/1"]
        assert (await claimed_one(backend, clock)).task_id == f"{ONE}/b/1/1"

    async def test_never_more_than_the_free_places_are_filled(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        underways = [await underway(backend, clock, workflow(n, n % 4)) for n in range(6)]
        answer = await advanced(backend, clock, *(step(*one) for one in underways), slots=4)
        assert len(answer.claimed) == 4
        rest = await backend.tasks.claim(claim(), clock.now_ms())
        assert len(rest) == 2

    async def test_a_claim_for_nothing_claims_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        answer = await advanced(backend, clock, step(first, lease), slots=0)
        assert (list(answer.verdicts), list(answer.claimed)) == ([Verdict.COMMITTED], [])
        assert (await claimed_one(backend, clock)).task_id == f"{ONE}/b/1/1"

    async def test_hints_tell_only_of_what_stays_queued(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        other = task(ONE, "c", lane="pack@2.0")
        async with backend.bus.subscribe(Topic.WAKE) as hints:
            first, lease = await underway(backend, clock, ONE)
            assert (await at_once(anext(hints))).body == b"build@1.0"
            new_tasks = (task(ONE, "b"), other)
            await advanced(backend, clock, step(first, lease, new_tasks=new_tasks))
            told = await at_once(anext(hints))
            assert (told.workflow_id, told.body) == (ONE, b"pack@2.0")
            await queued(backend, clock, task(TWO))
            assert (await at_once(anext(hints))).workflow_id == TWO

    async def test_steps_of_a_paused_workflow_queue_nothing_that_could_be_claimed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        answer = await advanced(backend, clock, step(first, lease, suspended=True))
        assert (list(answer.verdicts), list(answer.claimed)) == ([Verdict.COMMITTED], [])
        (record,) = await inspected(backend, ONE)
        assert record.state == "suspended"

    async def test_a_repeated_call_is_a_conflict_and_applies_nothing_twice(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first, lease = await underway(backend, clock, ONE)
        second = step(first, lease)
        await advanced(backend, clock, second)
        answer = await advanced(backend, clock, second)
        assert (list(answer.verdicts), list(answer.claimed)) == ([Verdict.CONFLICT], [])
        assert len(await backend.store.log(ONE)) == 2

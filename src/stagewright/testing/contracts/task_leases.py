"""What leases must do: extend, complete, release, and fence those who lost them."""

from __future__ import annotations

from stagewright.ports.backend import Backend
from stagewright.ports.task_queue import Completed, Completion, TaskLease
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import (
    claim,
    claimed_one,
    committed,
    inbox,
    inspected,
    lease_of,
    queued,
    received,
    start,
    task,
    then,
    workflow,
)

ONE, TWO = workflow(1), workflow(2, 3)


async def leased(backend: Backend, clock: VirtualClock, timeout_s: float = 60.0) -> TaskLease:
    """Queue one task and claim it."""
    await queued(backend, clock, task(ONE, timeout_s=timeout_s))
    return lease_of(await claimed_one(backend, clock))


async def extended(
    backend: Backend, clock: VirtualClock, lease: TaskLease, lease_s: float = 30.0
) -> int | None:
    """Extend one lease; return its new expiry."""
    (answer,) = await backend.tasks.extend([lease], lease_s, clock.now_ms())
    return answer


async def released(
    backend: Backend, clock: VirtualClock, lease: TaskLease, *, lost: bool = False
) -> bool:
    """Release one lease; return whether its token was current."""
    (answer,) = await backend.tasks.release([lease], lost=lost, now_ms=clock.now_ms())
    return answer


async def completed(
    backend: Backend, clock: VirtualClock, lease: TaskLease, result: bytes = b"result"
) -> bool:
    """Complete one task; return whether its token was current."""
    completion = Completion(lease.task_id, lease.token, result)
    answer = await backend.tasks.complete([completion], None, clock.now_ms())
    (accepted,) = answer.accepted
    return accepted


async def bodies(backend: Backend, clock: VirtualClock) -> list[bytes]:
    """Return the bodies in all inboxes."""
    return [message.body for message in await inbox(backend, clock)]


class ExtendContract:
    """A lease is renewed for its token, up to the task's deadline."""

    async def test_a_lease_is_extended_from_now(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        clock.set_ms(clock.now_ms() + 10_000)
        assert await extended(backend, clock, lease, 15) == clock.now_ms() + 15_000
        (record,) = await inspected(backend, ONE)
        assert record.expires_at_ms == clock.now_ms() + 15_000

    async def test_a_lease_is_never_extended_beyond_the_deadline(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock, timeout_s=40.0)
        deadline_ms = clock.now_ms() + 40_000
        clock.set_ms(clock.now_ms() + 25_000)
        assert await extended(backend, clock, lease, 30) == deadline_ms
        clock.set_ms(deadline_ms + 1)
        assert await extended(backend, clock, lease, 30) is None

    async def test_a_lease_that_ran_out_but_that_nobody_took_is_renewed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        clock.set_ms(clock.now_ms() + 45_000)
        assert len((await received(backend, clock)).expired) == 1
        assert await extended(backend, clock, lease, 10) == clock.now_ms() + 10_000
        assert list((await received(backend, clock)).expired) == []

    async def test_leases_are_extended_each_on_its_own(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE), task(TWO))
        good, other = map(lease_of, await backend.tasks.claim(claim(), clock.now_ms()))
        unknown = TaskLease(f"{workflow(9)}/build/1/1", 1)
        stale = TaskLease(other.task_id, other.token - 1)
        answer = await backend.tasks.extend([unknown, good, stale], 30, clock.now_ms())
        assert [expiry is None for expiry in answer] == [True, False, True]

    async def test_a_task_that_is_done_or_queued_again_has_no_lease_to_extend(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        await completed(backend, clock, lease)
        assert await extended(backend, clock, lease) is None
        await queued(backend, clock, task(TWO))
        handed_back = lease_of(await claimed_one(backend, clock))
        await released(backend, clock, handed_back)
        assert await extended(backend, clock, handed_back) is None


class CompleteContract:
    """A completion proves its token, publishes the result and ends the lease, once."""

    async def test_a_result_lies_in_the_inbox_of_the_workflows_partition(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(TWO))
        lease = lease_of(await claimed_one(backend, clock))
        assert await completed(backend, clock, lease, b"\x00result") is True
        (message,) = await inbox(backend, clock)
        assert (message.partition, message.body) == (3, b"\x00result")

    async def test_a_completed_task_waits_as_done_until_a_commit_closes_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        await completed(backend, clock, lease)
        (record,) = await inspected(backend, ONE)
        assert (record.state, record.token) == ("done", lease.token)
        assert list((await received(backend, clock, later_s=3_600)).expired) == []
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []

    async def test_repeating_a_completion_is_accepted_and_publishes_nothing_more(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        assert await completed(backend, clock, lease, b"result") is True
        assert await completed(backend, clock, lease, b"again") is True
        assert await bodies(backend, clock) == [b"result"]

    async def test_a_completion_whose_result_was_applied_is_not_accepted_again(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lease = lease_of(await claimed_one(backend, clock))
        await completed(backend, clock, lease)
        (message,) = await inbox(backend, clock)
        applied = then(first, consumed=(message.position,), closed_tasks=(lease.task_id,))
        await committed(backend, clock, applied)
        assert await completed(backend, clock, lease) is False
        assert await bodies(backend, clock) == []

    async def test_completions_with_wrong_tokens_publish_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        wrong = [
            TaskLease(lease.task_id, lease.token + 1),
            TaskLease(lease.task_id, 0),
            TaskLease(f"{workflow(9)}/build/1/1", lease.token),
        ]
        assert [await completed(backend, clock, stale) for stale in wrong] == [False] * 3
        assert await bodies(backend, clock) == []
        assert await completed(backend, clock, lease) is True

    async def test_a_task_that_was_never_claimed_cannot_be_completed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        assert await completed(backend, clock, TaskLease(f"{ONE}/build/1/1", 0)) is False
        assert await bodies(backend, clock) == []

    async def test_a_holder_may_finish_late_while_nobody_took_the_task(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        clock.set_ms(clock.now_ms() + 45_000)
        assert await completed(backend, clock, lease) is True

    async def test_each_completion_of_a_call_stands_alone(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, *(task(workflow(n, n % 4)) for n in range(8)))
        claimed = await backend.tasks.claim(claim(), clock.now_ms())
        results = [
            Completion(found.task_id, found.token - n % 2, found.task_id.encode())
            for n, found in enumerate(claimed)
        ]
        answer = await backend.tasks.complete(results, None, clock.now_ms())
        assert list(answer.accepted) == [True, False] * 4
        assert sorted(await bodies(backend, clock)) == sorted(done.result for done in results[::2])

    async def test_results_of_one_partition_keep_their_order(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, *(task(ONE, f"s{n}") for n in range(6)))
        claimed = await backend.tasks.claim(claim(), clock.now_ms())
        results = [
            Completion(found.task_id, found.token, b"%d" % n) for n, found in enumerate(claimed)
        ]
        await backend.tasks.complete(results[::-1], None, clock.now_ms())
        assert await bodies(backend, clock) == [b"5", b"4", b"3", b"2", b"1", b"0"]

    async def test_one_call_completes_and_claims_the_next_tasks(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE, "a"), task(ONE, "b"), task(TWO, "c"))
        first = (await backend.tasks.claim(claim(slots=1), clock.now_ms()))[0]
        result = Completion(first.task_id, first.token, b"result")
        answer = await backend.tasks.complete([result], claim(slots=5), clock.now_ms())
        assert list(answer.accepted) == [True]
        assert len(answer.claimed) == 2
        assert {found.holder for found in await inspected(backend, TWO)} <= {"worker-1"}

    async def test_a_call_may_claim_without_completing_anything(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        nothing = await backend.tasks.complete([], None, clock.now_ms())
        assert nothing == Completed(type(nothing.accepted)(), type(nothing.claimed)())
        answer = await backend.tasks.complete([], claim(), clock.now_ms())
        assert [found.task_id for found in answer.claimed] == [f"{ONE}/build/1/1"]


class ReleaseContract:
    """Work that is handed back or lost goes to the front, and its old token is worth nothing."""

    async def test_a_released_task_is_the_next_of_its_lane(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE, "a"), task(ONE, "b"), task(ONE, "c"))
        (first,) = await backend.tasks.claim(claim(slots=1), clock.now_ms())
        assert await released(backend, clock, lease_of(first)) is True
        order = [found.task_id for found in await backend.tasks.claim(claim(), clock.now_ms())]
        assert order == [f"{ONE}/{stage}/1/1" for stage in "abc"]

    async def test_only_lost_leases_are_counted(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        for lost, count in ((False, 0), (True, 1), (True, 2), (False, 2)):
            assert await released(backend, clock, lease, lost=lost) is True
            (record,) = await inspected(backend, ONE)
            assert (record.state, record.holder, record.lost) == ("queued", None, count)
            again = await claimed_one(backend, clock)
            assert again.lost == count
            lease = lease_of(again)

    async def test_a_released_task_gets_its_whole_timeout_again(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock, timeout_s=40.0)
        clock.set_ms(clock.now_ms() + 35_000)
        await released(backend, clock, lease, lost=True)
        again = await claimed_one(backend, clock)
        assert again.deadline_at_ms == clock.now_ms() + 40_000

    async def test_a_released_task_is_no_longer_watched_for_expiry(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        clock.set_ms(clock.now_ms() + 45_000)
        await released(backend, clock, lease, lost=True)
        assert list((await received(backend, clock, later_s=600)).expired) == []

    async def test_a_lease_that_was_given_back_is_over(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        await released(backend, clock, lease)
        assert await released(backend, clock, lease) is False
        assert await completed(backend, clock, lease) is False
        assert await bodies(backend, clock) == []
        assert len(await backend.tasks.claim(claim(), clock.now_ms())) == 1

    async def test_after_a_reclaim_the_old_token_can_do_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        old = await leased(backend, clock)
        await released(backend, clock, old, lost=True)
        new = lease_of(await claimed_one(backend, clock))
        assert new.token > old.token
        assert await extended(backend, clock, old) is None
        assert await completed(backend, clock, old) is False
        assert await released(backend, clock, old) is False
        (record,) = await inspected(backend, ONE)
        assert (record.state, record.token) == ("leased", new.token)
        assert await completed(backend, clock, new, b"new") is True
        assert await bodies(backend, clock) == [b"new"]

    async def test_a_released_task_of_a_suspended_workflow_stays_out_of_its_lane(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lease = lease_of(await claimed_one(backend, clock))
        paused = then(first, suspended=True)
        await committed(backend, clock, paused)
        assert await released(backend, clock, lease) is True
        assert [record.state for record in await inspected(backend, ONE)] == ["suspended"]
        assert list(await backend.tasks.claim(claim(), clock.now_ms())) == []
        await committed(backend, clock, then(paused, suspended=False))
        assert (await claimed_one(backend, clock)).task_id == lease.task_id


class LeaseDurabilityContract:
    """A lease belongs to its token, not to a process or a connection."""

    async def test_a_lease_outlives_the_backend_if_the_store_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        lease = await leased(harness.backend, clock)
        reopened = await harness.restart()
        assert (await extended(reopened, clock, lease) is not None) is harness.durable
        assert await completed(reopened, clock, lease) is harness.durable

    async def test_tokens_go_on_rising_after_a_restart(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        old = await leased(harness.backend, clock)
        reopened = await harness.restart()
        await queued(reopened, clock, task(workflow(7)))
        new = lease_of(await claimed_one(reopened, clock))
        assert (new.token > old.token) is harness.durable


class LeaseContract(ExtendContract, CompleteContract, ReleaseContract, LeaseDurabilityContract):
    """All of it."""

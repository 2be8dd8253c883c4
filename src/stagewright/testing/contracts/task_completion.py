"""What completing tasks must do, and the small verbs of the lease suites."""

from __future__ import annotations

from stagewright.ports.backend import Backend
from stagewright.ports.task import TaskLease
from stagewright.ports.task_queue import Completed, Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    MAX_BODY_BYTES,
    claim,
    claimed_one,
    committed,
    inbox,
    inspected,
    lease_of,
    published,
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

    async def test_a_result_lies_there_with_the_lease_that_was_proved(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(TWO))
        lease = lease_of(await claimed_one(backend, clock))
        await completed(backend, clock, lease, b"not even an envelope")
        await published(backend, clock, TWO, b"from elsewhere")
        assert [one.lease for one in await inbox(backend, clock)] == [lease, None]

    async def test_a_result_that_is_too_big_to_be_read_lies_there_with_its_lease(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        await completed(backend, clock, lease, b"x" * (MAX_BODY_BYTES + 1))
        (message,) = await inbox(backend, clock)
        assert (message.body, message.oversize_bytes) == (b"", MAX_BODY_BYTES + 1)
        assert message.lease == lease
        await backend.bus.reject(message, "too big", clock.now_ms())
        (letter,) = await backend.dead_letters.list()
        assert (letter.workflow_id, letter.body) == (ONE, b"x" * 1_024)

    async def test_a_result_that_became_a_dead_letter_and_was_redriven_proves_no_lease_any_more(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        lease = await leased(backend, clock)
        await completed(backend, clock, lease, b"result")
        (message,) = await inbox(backend, clock)
        await backend.bus.reject(message, "bad", clock.now_ms())
        (letter,) = await backend.dead_letters.list()
        assert (letter.workflow_id, letter.body) == (ONE, b"result")
        await backend.dead_letters.redrive(letter.letter_id, b"mended", clock.now_ms())
        (again,) = await inbox(backend, clock)
        assert (again.body, again.lease) == (b"mended", None)

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

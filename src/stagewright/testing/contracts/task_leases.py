"""What leases must do: extend and release, and fence those who lost them."""

from __future__ import annotations

from stagewright.ports.backend import Backend
from stagewright.ports.task import TaskLease
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import (
    claim,
    claimed_one,
    committed,
    inspected,
    lease_of,
    queued,
    received,
    start,
    task,
    then,
    workflow,
)
from stagewright.testing.contracts.task_completion import (
    CompleteContract,
    bodies,
    completed,
    extended,
    leased,
    released,
)

ONE, TWO = workflow(1), workflow(2, 3)


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

    async def test_leases_may_be_extended_very_often(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE, "a"), task(ONE, "b"))
        leases = [lease_of(found) for found in await backend.tasks.claim(claim(), clock.now_ms())]
        for _ in range(150):
            clock.set_ms(clock.now_ms() + 100)
            assert None not in await backend.tasks.extend(leases[:1], 30, clock.now_ms())
        ended = await received(backend, clock, later_s=20)
        assert [record.task_id for record in ended.expired] == [leases[1].task_id]
        assert len((await received(backend, clock, later_s=40)).expired) == 2

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

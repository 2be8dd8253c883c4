"""What `receive` must do about time: due timers, lost leases, and waiting for either."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import DueTimer, Received
from stagewright.ports.task_queue import Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once, drive
from stagewright.testing.contracts.samples import (
    MAX_BODY_BYTES,
    claim,
    claimed_one,
    committed,
    lease_of,
    published,
    queued,
    received,
    start,
    task,
    then,
    workflow,
)

ONE, TWO = workflow(1, 1), workflow(2, 3)


def waiting(
    backend: Backend, clock: VirtualClock, wait_s: float, *partitions: int
) -> asyncio.Task[Received]:
    """Begin to receive from some partitions, or from all."""
    after = dict.fromkeys(partitions or range(4), "")
    reading = backend.bus.receive(after, 100, wait_s, clock.now_ms(), MAX_BODY_BYTES)
    return asyncio.ensure_future(reading)


async def begun(clock: VirtualClock) -> None:
    """Give a reader the time to fall asleep; a backend may need real time for that."""
    await asyncio.sleep(0.02)
    await clock.advance(0)


def timers_of(found: Received) -> list[tuple[str, str]]:
    """Return workflow and name of due timers."""
    return [(timer.workflow_id, timer.timer_id) for timer in found.timers]


def tasks_of(found: Received) -> Sequence[str]:
    """Return the tasks whose leases have run out."""
    return [record.task_id for record in found.expired]


class DueContract:
    """Timers and leases fall due, and stay so until a commit or a release deals with them."""

    async def test_a_timer_is_due_from_its_instant_on(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        due_at_ms = clock.now_ms() + 1_500
        await committed(backend, clock, start(ONE, timers={"retry": due_at_ms}))
        clock.set_ms(due_at_ms - 1)
        assert timers_of(await received(backend, clock)) == []
        clock.set_ms(due_at_ms)
        assert list((await received(backend, clock)).timers) == [DueTimer(ONE, "retry", due_at_ms)]

    async def test_a_due_timer_stays_until_a_commit_clears_or_moves_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        now_ms = clock.now_ms()
        first = start(ONE, timers={"a": now_ms - 2, "b": now_ms - 1})
        await committed(backend, clock, first)
        seen = [timers_of(await received(backend, clock)) for _ in range(2)]
        assert seen == [[(ONE, "a"), (ONE, "b")]] * 2
        moved = then(first, timers={"b": now_ms + 5_000}, cleared_timers=("a",))
        await committed(backend, clock, moved)
        assert timers_of(await received(backend, clock)) == []
        assert timers_of(await received(backend, clock, later_s=5)) == [(ONE, "b")]

    async def test_due_timers_come_oldest_first_and_bounded(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        now_ms = clock.now_ms()
        offsets = (30, 10, 50, 20, 40)
        await committed(
            backend, clock, start(ONE, timers={f"t{offset}": now_ms - offset for offset in offsets})
        )
        await committed(backend, clock, start(TWO, timers={"elsewhere": now_ms - 45}))
        bounded = await received(backend, clock, limit=3)
        assert [timer.timer_id for timer in bounded.timers] == ["t50", "elsewhere", "t40"]

    async def test_only_the_partitions_named_have_due_timers(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        due = {"t": clock.now_ms()}
        await committed(backend, clock, start(ONE, timers=due), start(TWO, timers=due))
        assert timers_of(await received(backend, clock, {3: ""})) == [(TWO, "t")]

    async def test_a_lease_that_ran_out_is_reported_until_it_is_released(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        lease = lease_of(await claimed_one(backend, clock, lease_s=10))
        clock.set_ms(clock.now_ms() + 9_999)
        assert tasks_of(await received(backend, clock)) == []
        clock.set_ms(clock.now_ms() + 2)
        found = [await received(backend, clock) for _ in range(2)]
        assert [tasks_of(each) for each in found] == [[lease.task_id]] * 2
        (record,) = found[0].expired
        assert (record.state, record.token, record.holder) == ("leased", lease.token, "worker-1")
        await backend.tasks.release([lease], lost=True, now_ms=clock.now_ms())
        assert tasks_of(await received(backend, clock)) == []

    async def test_a_lease_that_ran_out_is_reported_until_a_commit_closes_its_task(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lease = lease_of(await claimed_one(backend, clock, lease_s=10))
        clock.set_ms(clock.now_ms() + 11_000)
        assert tasks_of(await received(backend, clock)) == [lease.task_id]
        await committed(backend, clock, then(first, closed_tasks=(lease.task_id,)))
        assert tasks_of(await received(backend, clock)) == []

    async def test_an_extended_lease_runs_out_later(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        lease = lease_of(await claimed_one(backend, clock, lease_s=10))
        await backend.tasks.extend([lease], 20, clock.now_ms())
        assert tasks_of(await received(backend, clock, later_s=15)) == []
        assert tasks_of(await received(backend, clock, later_s=21)) == [lease.task_id]

    async def test_lost_leases_come_oldest_first_and_bounded(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        ids = [workflow(number, number % 2) for number in range(4)]
        await queued(backend, clock, *(task(id_, lane=f"l{n}@1.0") for n, id_ in enumerate(ids)))
        for number, lease_s in enumerate((30, 10, 40, 20)):
            await backend.tasks.claim(claim(f"l{number}@1.0", lease_s=lease_s), clock.now_ms())
        found = await received(backend, clock, later_s=60, limit=3)
        assert tasks_of(found) == [f"{ids[n]}/build/1/1" for n in (1, 3, 0)]


class WaitingContract(DueContract):
    """With nothing to return, `receive` sleeps until there is something, or its time is over."""

    async def test_nothing_to_wait_for_is_answered_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        found = await at_once(waiting(backend, clock, 0))
        assert (list(found.messages), set(found.marks)) == ([], {0, 1, 2, 3})

    async def test_a_wait_in_vain_ends(self, backend: Backend, clock: VirtualClock) -> None:
        began_ms = clock.now_ms()
        found = await drive(clock, waiting(backend, clock, 2))
        assert (list(found.messages), set(found.marks)) == ([], {0, 1, 2, 3})
        assert clock.now_ms() > began_ms

    async def test_what_is_there_is_returned_without_waiting(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"here")
        found = await at_once(waiting(backend, clock, 60))
        assert [message.body for message in found.messages] == [b"here"]

    async def test_a_message_wakes_its_reader_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        reading = waiting(backend, clock, 60)
        await begun(clock)
        assert not reading.done()
        await published(backend, clock, ONE, b"news")
        found = await at_once(reading)
        assert [message.body for message in found.messages] == [b"news"]

    async def test_a_result_wakes_the_owner_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        claimed = await claimed_one(backend, clock)
        reading = waiting(backend, clock, 60)
        await begun(clock)
        result = Completion(claimed.task_id, claimed.token, b"result")
        await backend.tasks.complete([result], None, clock.now_ms())
        assert [message.body for message in (await at_once(reading)).messages] == [b"result"]

    async def test_a_message_elsewhere_is_not_for_this_reader(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        reading = waiting(backend, clock, 2, 0, 2)
        await begun(clock)
        await published(backend, clock, ONE, b"elsewhere")
        assert list((await drive(clock, reading)).messages) == []

    async def test_a_reader_returns_when_the_next_timer_is_due(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        due_at_ms = clock.now_ms() + 5_000
        await committed(backend, clock, start(ONE, timers={"t": due_at_ms}))
        found = await drive(clock, waiting(backend, clock, 3_600))
        assert timers_of(found) == [(ONE, "t")]
        assert clock.now_ms() >= due_at_ms

    async def test_a_timer_set_while_a_reader_waits_is_noticed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        reading = waiting(backend, clock, 3_600)
        await begun(clock)
        await committed(backend, clock, start(ONE, timers={"t": clock.now_ms() + 2_000}))
        assert timers_of(await drive(clock, reading)) == [(ONE, "t")]

    async def test_a_reader_returns_when_a_lease_runs_out(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        claimed = await claimed_one(backend, clock, lease_s=10)
        found = await drive(clock, waiting(backend, clock, 3_600))
        assert tasks_of(found) == [claimed.task_id]
        assert clock.now_ms() >= claimed.expires_at_ms

    async def test_a_lease_taken_while_a_reader_waits_is_watched(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await queued(backend, clock, task(ONE))
        reading = waiting(backend, clock, 3_600)
        await begun(clock)
        claimed = await claimed_one(backend, clock, lease_s=5)
        assert tasks_of(await drive(clock, reading)) == [claimed.task_id]

    async def test_a_reader_that_gives_up_takes_nothing_with_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        reading = waiting(backend, clock, 60)
        await begun(clock)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await published(backend, clock, ONE, b"news")
        found = await at_once(waiting(backend, clock, 60))
        assert [message.body for message in found.messages] == [b"news"]

    async def test_two_owners_at_once_see_the_same(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        readings = [waiting(backend, clock, 60) for _ in range(2)]
        await begun(clock)
        await published(backend, clock, ONE, b"news")
        found = [await at_once(reading) for reading in readings]
        assert [[message.body for message in each.messages] for each in found] == [[b"news"]] * 2

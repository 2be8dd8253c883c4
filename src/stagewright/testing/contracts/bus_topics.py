"""What ephemeral topics must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from stagewright.domain import ids
from stagewright.domain.errors import StagewrightError, UsageError
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import (
    committed,
    entry,
    inbox,
    queued,
    start,
    task,
    then,
    workflow,
)

ONE, TWO = workflow(1, 1), workflow(2, 3)
FLOOD = 20_000


async def heard(listener: AsyncIterator[Message], count: int) -> list[Message]:
    """Return the next messages that a listener hears."""
    return [await at_once(anext(listener)) for _ in range(count)]


async def hints(listener: AsyncIterator[Message], last: bytes) -> list[tuple[int, bytes]]:
    """Return partition and body of all hints up to one with a certain body."""
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][1] != last:
        (hint,) = await heard(listener, 1)
        found.append((ids.partition_of(hint.workflow_id), hint.body))
    return found


async def tell(backend: Backend, clock: VirtualClock, workflow_id: str, *bodies: bytes) -> None:
    """Publish deltas of one workflow."""
    deltas = [Message(workflow_id, body) for body in bodies]
    await backend.bus.publish(Topic.DELTAS, deltas, clock.now_ms())


class TopicContract:
    """Listeners hear what is said while they listen, and hints when work may be there."""

    async def test_a_listener_hears_what_is_said_from_entering_on(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await tell(backend, clock, ONE, b"before")
        async with backend.bus.subscribe(Topic.DELTAS) as listener:
            await tell(backend, clock, ONE, b"a", b"\x00b")
            await tell(backend, clock, TWO, b"c")
            found = await heard(listener, 3)
        assert sorted(message.body for message in found) == [b"\x00b", b"a", b"c"]
        assert [m.body for m in found if m.workflow_id == ONE] == [b"a", b"\x00b"]

    async def test_a_listener_may_hear_of_one_workflow_only(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        same_partition = workflow(3, 1)
        async with backend.bus.subscribe(Topic.DELTAS, ONE) as listener:
            for number, id_ in enumerate((TWO, same_partition, ONE, TWO, same_partition, ONE)):
                await tell(backend, clock, id_, b"%d" % number)
            found = await heard(listener, 2)
        assert found == [Message(ONE, b"2"), Message(ONE, b"5")]

    async def test_the_end_of_a_workflow_is_told_by_the_step_that_ends_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        firsts = [start(id_) for id_ in (ONE, TWO)]
        async with (
            backend.bus.subscribe(Topic.ENDED) as everybody,
            backend.bus.subscribe(Topic.ENDED, TWO) as one,
        ):
            await committed(backend, clock, *firsts)
            await committed(backend, clock, then(firsts[0]))  # goes on
            for first, status in zip(firsts, ("failed", "completed"), strict=True):
                last = then(first, index=entry(status=status)) if first is firsts[1] else None
                last = last or then(then(first), index=entry(status=status))
                await committed(backend, clock, last)
            both = [message.workflow_id for message in await heard(everybody, 2)]
            assert sorted(both) == sorted((ONE, TWO))
            assert await heard(one, 1) == [Message(TWO, b"")]

    async def test_an_end_that_no_step_made_cannot_be_told(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE)
        async with backend.bus.subscribe(Topic.ENDED) as listener:
            with pytest.raises(UsageError, match="topic: ended"):
                await backend.bus.publish(Topic.ENDED, [Message(TWO, b"")], clock.now_ms())
            await committed(backend, clock, first)
            await committed(backend, clock, then(first, index=entry(status="cancelled")))
            assert await heard(listener, 1) == [Message(ONE, b"")]

    async def test_all_listeners_hear_the_same(self, backend: Backend, clock: VirtualClock) -> None:
        subscribe = backend.bus.subscribe
        async with subscribe(Topic.DELTAS) as first, subscribe(Topic.DELTAS) as second:
            await tell(backend, clock, ONE, b"a", b"b")
            assert await heard(first, 2) == await heard(second, 2)

    async def test_a_listener_that_leaves_does_not_disturb_the_others(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async with backend.bus.subscribe(Topic.DELTAS) as stays:
            async with backend.bus.subscribe(Topic.DELTAS):
                await tell(backend, clock, ONE, b"a")
            await tell(backend, clock, ONE, b"b")
            assert [message.body for message in await heard(stays, 2)] == [b"a", b"b"]

    async def test_a_listener_may_stop_to_wait_and_go_on_later(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async with backend.bus.subscribe(Topic.DELTAS) as listener:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(listener)
            await tell(backend, clock, ONE, b"later")
            assert [message.body for message in await heard(listener, 1)] == [b"later"]

    async def test_a_listener_that_does_not_keep_up_loses_the_oldest(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async with backend.bus.subscribe(Topic.DELTAS) as listener:
            for begin in range(0, FLOOD, 1_000):
                flood = [b"%d" % number for number in range(begin, begin + 1_000)]
                await tell(backend, clock, ONE, *flood)
            await asyncio.sleep(0.2)  # real: a server's messages are on their way meanwhile
            found = [int((await heard(listener, 1))[0].body)]
            while found[-1] != FLOOD - 1:
                found.append(int((await heard(listener, 1))[0].body))
        assert len(found) < FLOOD
        assert found == sorted(found)

    async def test_deltas_leave_no_trace(self, backend: Backend, clock: VirtualClock) -> None:
        await committed(backend, clock, start(ONE))
        await tell(backend, clock, ONE, b"delta")
        assert list(await inbox(backend, clock)) == []
        assert list(await backend.store.log(ONE, "notes")) == []

    async def test_a_commit_that_queues_a_task_gives_its_lane_as_a_hint(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async with backend.bus.subscribe(Topic.WAKE) as listener:
            await queued(backend, clock, task(TWO, lane="deploy@1.2"))
            assert (3, b"deploy@1.2") in await hints(listener, b"deploy@1.2")

    async def test_a_commit_that_resumes_a_workflow_gives_the_lanes_of_its_tasks(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        paused = start(ONE, suspended=True, new_tasks=(task(ONE, lane="test@1.0"),))
        await committed(backend, clock, paused)
        async with backend.bus.subscribe(Topic.WAKE) as listener:
            await committed(backend, clock, then(paused, suspended=False))
            assert (1, b"test@1.0") in await hints(listener, b"test@1.0")

    async def test_whoever_knows_of_work_may_give_a_hint(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async with backend.bus.subscribe(Topic.WAKE) as listener:
            await backend.bus.publish(Topic.WAKE, [Message(ONE, b"a@1.0")], clock.now_ms())
            assert await hints(listener, b"a@1.0") == [(1, b"a@1.0")]

    @pytest.mark.parametrize("topic", [Topic.INBOX, Topic.NOTES])
    async def test_a_durable_topic_cannot_be_subscribed_to(
        self, backend: Backend, topic: Topic
    ) -> None:
        with pytest.raises(StagewrightError, match="topic"):
            async with backend.bus.subscribe(topic):
                pass

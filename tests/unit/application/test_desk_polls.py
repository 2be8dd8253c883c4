"""Waiting for tasks over HTTP: woken by hints, one listener for all, and nothing is left leased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stagewright.application.desk_polls import SWEEP_S, Polls
from stagewright.application.withdrawal import CANCEL
from stagewright.domain.errors import Unreachable
from stagewright.ports.agent_desk import TooManyPolls
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import ClaimedTask
from stagewright.ports.task_queue import Claim, Want
from stagewright.testing.clock import settle
from tests.unit.application.world import World

BUILD = Claim("http:a", (Want(("build@1.0",), 1),), 30.0)
CHECK = Claim("http:b", (Want(("check@1.0",), 1),), 30.0)


class Queue:
    """A queue that counts its claims, and may be slow."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.claims = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        self.claims += 1
        found: Sequence[ClaimedTask] = await self._queue.claim(claim, now_ms)
        await self.gate.wait()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


class Hall:
    """Polls at work, and how often the queue and the bus were asked."""

    def __init__(self, world: World, most: int) -> None:
        self.world = world
        self.queue = Queue(world.backend.tasks)
        self.subscriptions = 0
        self.polls = Polls(self.queue, self, world.clock, most=most)  # type: ignore[arg-type]

    def subscribe(self, topic: Topic) -> Any:
        self.subscriptions += 1
        return self.world.backend.bus.subscribe(topic)

    def wait(self, claim: Claim = BUILD, wait_s: float = 30.0) -> asyncio.Task[Any]:
        return asyncio.create_task(self.polls.claim(claim, wait_s))

    async def queued(self) -> int:
        return sum(depth.queued for depth in await self.world.backend.tasks.depths())


@asynccontextmanager
async def opened(world: World, most: int = 10) -> AsyncIterator[Hall]:
    await world.register()
    hall = Hall(world, most)
    duty = asyncio.create_task(hall.polls.run())
    await settle()
    try:
        yield hall
    finally:
        duty.cancel()


@pytest.fixture
async def hall(world: World) -> AsyncIterator[Hall]:
    async with opened(world) as made:
        yield made


async def test_a_poll_is_answered_as_soon_as_there_is_a_task(hall: Hall) -> None:
    poll = hall.wait()
    await settle()
    workflow_id = await hall.world.start()
    await settle()
    (task,) = poll.result()
    assert task.task_id.startswith(workflow_id)


async def test_many_polls_share_one_listener_and_ask_nothing_while_nothing_comes(
    hall: Hall,
) -> None:
    polls = [hall.wait() for _ in range(9)]
    await settle()
    asked = hall.queue.claims
    await hall.world.clock.advance(5 * SWEEP_S)
    assert hall.subscriptions == 1
    assert hall.queue.claims == asked + 5  # one look for all of them at each sweep
    await hall.world.clock.advance(30)
    assert [poll.result() for poll in polls] == [()] * 9


async def test_when_nobody_waits_nobody_looks(hall: Hall) -> None:
    await hall.world.clock.advance(60)
    assert (hall.queue.claims, hall.subscriptions) == (0, 0)


async def test_whoever_waited_longest_is_woken_first_and_wakes_the_next(hall: Hall) -> None:
    first, second, other = hall.wait(), hall.wait(), hall.wait(CHECK)
    await settle()
    await hall.world.start()
    await settle()
    assert (first.done(), second.done(), other.done()) == (True, False, False)
    await hall.world.start()
    await settle()
    assert second.done()
    assert not other.done()
    other.cancel()


async def test_a_hint_for_who_left_meanwhile_goes_to_the_next(hall: Hall) -> None:
    first, second = hall.wait(), hall.wait()
    await settle()
    hall.queue.gate.clear()
    await hall.world.start()
    await settle()
    first.cancel()
    hall.queue.gate.set()
    await settle()
    assert len(second.result()) == 1


async def test_a_lost_hint_costs_a_moment(world: World) -> None:
    async with opened(world) as hall:
        hall.subscribe = lambda _: _deaf()  # type: ignore[method-assign]
        poll = hall.wait()
        await settle()
        await world.start()
        await settle()
        assert not poll.done()
        await world.clock.advance(SWEEP_S)
        assert len(poll.result()) == 1


async def test_one_hint_is_enough_for_all_that_came(world: World) -> None:
    async with opened(world) as hall:
        hall.subscribe = lambda _: _deaf()  # type: ignore[method-assign]
        polls = [hall.wait() for _ in range(3)]
        await settle()
        for _ in range(2):
            await world.start()
        await world.clock.advance(SWEEP_S)
        assert [len(poll.result()) for poll in polls if poll.done()] == [1, 1]
        polls[2].cancel()


@asynccontextmanager
async def _deaf() -> AsyncIterator[AsyncIterator[Message]]:
    """A subscription that hears nothing."""

    async def nothing() -> AsyncIterator[Message]:
        await asyncio.Event().wait()
        yield Message("", b"")

    yield nothing()


async def test_what_was_claimed_for_who_went_away_is_given_back(hall: Hall) -> None:
    await hall.world.start()
    hall.queue.gate.clear()
    poll = hall.wait()
    await settle()
    assert await hall.queued() == 0
    poll.cancel()
    await settle()
    hall.queue.gate.set()
    await hall.polls.settle()
    assert await hall.queued() == 1
    (task,) = await hall.world.claim("build")
    assert task.lost == 0


async def test_one_poll_too_many_is_refused_at_once(world: World) -> None:
    async with opened(world, most=2) as hall:
        polls = [hall.wait() for _ in range(2)]
        await settle()
        with pytest.raises(TooManyPolls, match="2 polls wait already"):
            await hall.polls.claim(BUILD, 30)
        assert not await hall.polls.claim(BUILD, 0)
        polls[0].cancel()
        await settle()
        assert await hall.polls.claim(BUILD, 0) == []
        hall.wait().cancel()
        polls[1].cancel()


async def test_a_desk_that_closes_sends_everybody_away(hall: Hall) -> None:
    poll = hall.wait()
    await settle()
    hall.polls.close()
    await settle()
    assert poll.result() == ()
    assert not await hall.polls.claim(BUILD, 30)


async def test_a_bus_that_fails_is_listened_to_again(world: World) -> None:
    async with opened(world) as hall:
        subscribe, hall.subscriptions = hall.subscribe, 0
        failures = [Unreachable("bus")]

        def failing(topic: Topic) -> Any:
            if failures:
                raise failures.pop()
            return subscribe(topic)

        hall.subscribe = failing  # type: ignore[method-assign]
        poll = hall.wait()
        await settle()
        await world.clock.advance(1)
        await world.start()
        await settle()
        assert len(poll.result()) == 1


async def test_listeners_hear_of_work_and_of_what_was_withdrawn(hall: Hall) -> None:
    listener = asyncio.create_task(hall.polls.hear(frozenset({"build@1.0"}), 30))
    await settle()
    workflow_id = await hall.world.start()
    await settle()
    assert listener.result().work
    listener = asyncio.create_task(hall.polls.hear(frozenset({"check@1.0"}), 30))
    await settle()
    word = Message(workflow_id, CANCEL)
    await hall.world.backend.bus.publish(Topic.WAKE, [word], hall.world.clock.now_ms())
    await settle()
    assert listener.result().withdrawn == [workflow_id]
    assert not listener.result().work


async def test_every_sixteenth_claim_looks_at_the_lowest_first(hall: Hall) -> None:
    seen: list[bool] = []
    claim = hall.queue.claim

    async def watched(wish: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        seen.append(wish.lowest_first)
        return await claim(wish, now_ms)

    hall.queue.claim = watched  # type: ignore[method-assign]
    for _ in range(32):
        await hall.polls.claim(BUILD, 0)
    assert [index for index, lowest in enumerate(seen) if lowest] == [15, 31]

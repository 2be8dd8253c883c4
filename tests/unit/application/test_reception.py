"""One ear for all while it is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from stagewright.application.reception import LONGER, Listener, Reception
from stagewright.domain.errors import Unreachable
from stagewright.ports.message_bus import InboxMessage, PartitionMark, Received
from stagewright.testing.clock import VirtualClock, settle

WAIT_S = 1.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


class Bus:
    """Answers when told to, or with nothing when the wait is over."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.asked: list[tuple[frozenset[int], float]] = []
        self._waiting: dict[asyncio.Future[list[InboxMessage]], frozenset[int]] = {}

    async def receive(self, after: Mapping[int, str], _: int, wait_s: float, *__: Any) -> Received:
        self.asked.append((frozenset(after), wait_s))
        found: asyncio.Future[list[InboxMessage]] = asyncio.get_running_loop().create_future()
        self._waiting[found] = frozenset(after)
        sleeping = asyncio.ensure_future(self._clock.sleep(wait_s))
        try:
            await asyncio.wait({found, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            messages = found.result() if found.done() else []
        finally:
            sleeping.cancel()
            del self._waiting[found]
        marks = {number: PartitionMark("i", 0) for number in after}
        return Received(messages, [], [], marks)

    def say(self, partition: int) -> None:
        for found, partitions in self._waiting.items():
            if partition in partitions:
                found.set_result([InboxMessage(partition, "1", b"news")])

    def fail(self) -> None:
        for found in self._waiting:
            found.set_exception(Unreachable("it", "away"))


class Two:
    """Two consumers that ask again and again."""

    def __init__(self, clock: VirtualClock) -> None:
        self.bus = Bus(clock)
        bus: Any = self.bus
        self.reception = Reception(bus, clock, limit=10, wait_s=WAIT_S)
        self.heard: list[tuple[int, int]] = []
        self.failed = 0
        self.listeners = [self.reception.listener() for _ in range(2)]
        self.tasks = [asyncio.ensure_future(self.listen(n, one)) for n, one in
                      enumerate(self.listeners)]  # fmt: skip

    async def listen(self, number: int, who: Listener) -> None:
        while True:
            try:
                found = await self.reception.receive(who, {number: ""})
            except Unreachable:
                self.failed += 1
                continue
            assert set(found.marks) == {number}
            self.heard += [(number, message.partition) for message in found.messages]

    async def quiet(self, clock: VirtualClock) -> None:
        """Let both find nothing, until one listens for both."""
        await clock.advance(2 * WAIT_S)
        assert self.bus.asked[-1] == (frozenset({0, 1}), LONGER * WAIT_S)
        self.bus.asked.clear()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_when_nobody_finds_anything_one_listens_for_all(clock: VirtualClock) -> None:
    two = Two(clock)
    await settle()
    assert two.bus.asked == [(frozenset({0}), WAIT_S), (frozenset({1}), WAIT_S)]
    await two.quiet(clock)
    await clock.advance(LONGER * WAIT_S * 3)
    assert two.bus.asked == [(frozenset({0, 1}), LONGER * WAIT_S)] * 3
    await two.end()


async def test_each_hears_at_once_what_is_its_own(clock: VirtualClock) -> None:
    two = Two(clock)
    for partition in (0, 1, 1, 0):
        await two.quiet(clock)
        two.bus.say(partition)
        await settle()
        assert two.heard.pop() == (partition, partition)
        assert not two.heard
        assert {asked for asked, _ in two.bus.asked} == {frozenset({0}), frozenset({1})}
        await clock.advance(WAIT_S)
    await two.end()


async def test_who_has_other_partitions_looks_for_itself_at_once(clock: VirtualClock) -> None:
    two = Two(clock)
    await two.quiet(clock)
    two.reception.changed(two.listeners[1], {1: "", 3: ""})
    await settle()
    assert {asked for asked, _ in two.bus.asked} == {frozenset({0}), frozenset({1, 3})}
    await two.end()


async def test_a_failure_is_told_to_one_and_the_other_goes_on(clock: VirtualClock) -> None:
    two = Two(clock)
    await two.quiet(clock)
    two.bus.fail()
    await settle()
    assert two.failed == 1
    for partition in (0, 1):
        two.bus.say(partition)
        await settle()
    assert sorted(two.heard) == [(0, 0), (1, 1)]
    await two.end()


async def test_when_who_listens_for_all_is_stopped_others_go_on(clock: VirtualClock) -> None:
    two = Two(clock)
    await two.quiet(clock)
    leading = next(t for t, one in zip(two.tasks, two.listeners, strict=True) if not one.parked)
    leading.cancel()
    await settle()
    left = two.tasks.index(next(task for task in two.tasks if task is not leading))
    two.bus.say(left)
    await settle()
    assert two.heard == [(left, left)]
    await two.end()


async def test_one_has_its_turn_in_each_round_of_the_loop(clock: VirtualClock) -> None:
    bus: Any = Bus(clock)
    reception = Reception(bus, clock, limit=10, wait_s=WAIT_S)
    rounds, turns = 0, list[tuple[int, str]]()

    async def work(name: str) -> None:
        for _ in range(5):
            await reception.turn()
            turns.append((rounds, name))

    working = [asyncio.ensure_future(work(name)) for name in "abc"]
    while not all(one.done() for one in working):
        rounds += 1
        await asyncio.sleep(0)
    assert len({at for at, _ in turns}) == len(turns) == 15
    assert {name for _, name in turns[:3]} == {"a", "b", "c"}


async def test_nobody_listens_for_a_consumer_that_does_not_ask(clock: VirtualClock) -> None:
    bus: Any = Bus(clock)
    reception = Reception(bus, clock, limit=10, wait_s=WAIT_S)
    asking, pausing = reception.listener(), reception.listener()
    for who, partition in ((asking, 0), (pausing, 1)):
        looked = asyncio.ensure_future(reception.receive(who, {partition: ""}))
        await settle()
        await clock.advance(WAIT_S)
        await looked  # nothing was there: both are quiet
    bus.asked.clear()
    listening = asyncio.ensure_future(reception.receive(asking, {0: ""}))
    await settle()
    assert bus.asked == [(frozenset({0}), LONGER * WAIT_S)]
    bus.say(1)
    again = asyncio.ensure_future(reception.receive(pausing, {1: ""}))
    await settle()
    assert bus.asked[-1] == (frozenset({0, 1}), LONGER * WAIT_S)
    bus.say(1)
    assert len((await again).messages) == 1
    listening.cancel()


async def test_nobody_listens_for_a_consumer_whose_own_question_is_on_its_way(
    clock: VirtualClock,
) -> None:
    bus: Any = Bus(clock)
    reception = Reception(bus, clock, limit=10, wait_s=WAIT_S)
    slow, other = reception.listener(), reception.listener()

    def asks(who: Listener, partition: int) -> asyncio.Future[Received]:
        return asyncio.ensure_future(reception.receive(who, {partition: ""}))

    first = asks(slow, 0)
    await clock.advance(WAIT_S)
    await first  # nothing was there: it is quiet
    looking = asks(other, 1)
    await clock.advance(WAIT_S / 2)
    asking = asks(slow, 0)
    await clock.advance(WAIT_S / 2)
    await looking
    leading = asks(other, 1)
    await settle()
    assert bus.asked[-1] == (frozenset({1}), LONGER * WAIT_S)  # what it answers to 0 is not heard
    await clock.advance(WAIT_S / 2)
    await asking
    together = asks(slow, 0)
    await settle()
    assert bus.asked[-1] == (frozenset({0, 1}), LONGER * WAIT_S)
    bus.say(0)
    assert len((await together).messages) == 1
    leading.cancel()

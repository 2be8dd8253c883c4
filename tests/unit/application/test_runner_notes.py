from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from stagewright.application.runner_deltas import DeltaBuffer, DeltaWriter
from stagewright.application.runner_notes import NoteWriter
from stagewright.domain.errors import Unreachable
from stagewright.ports.message_bus import IMessageBus, Message, Topic
from stagewright.testing.clock import VirtualClock, settle


class Bus:
    """Publishes into a list, or not at all."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.failures = 0
        self.gate: asyncio.Event | None = None

    async def publish(self, _: Topic, messages: Sequence[Message], __: int) -> None:
        if self.failures:
            self.failures -= 1
            raise Unreachable("bus")
        if self.gate is not None:
            await self.gate.wait()
        self.batches.append([message.body for message in messages])


def port(bus: Bus) -> IMessageBus:
    return cast("IMessageBus", bus)


def message(number: int) -> Message:
    return Message("p01-a", str(number).encode())


async def test_notes_of_one_moment_are_written_in_one_call() -> None:
    bus, clock = Bus(), VirtualClock()
    writer = NoteWriter(port(bus), clock)
    duty = asyncio.create_task(writer.run())
    for number in range(3):
        await writer.add(message(number))
    await clock.advance(0.09)
    assert bus.batches == []
    await clock.advance(0.01)
    assert bus.batches == [[b"0", b"1", b"2"]]
    await clock.advance(60)
    assert len(bus.batches) == 1
    duty.cancel()


async def test_flushes_at_the_same_time_share_a_call() -> None:
    bus = Bus()
    bus.gate = asyncio.Event()
    writer = NoteWriter(port(bus), VirtualClock())
    flushes: list[Any] = []
    for number in range(4):
        await writer.add(message(number))
        flushes.append(asyncio.create_task(writer.flush()))
    await settle()
    bus.gate.set()
    await asyncio.gather(*flushes)
    assert bus.batches == [[b"0", b"1", b"2", b"3"]]


async def test_many_notes_are_written_without_waiting() -> None:
    bus = Bus()
    writer = NoteWriter(port(bus), VirtualClock(), batch=2)
    for number in range(4):
        await writer.add(message(number))
    assert bus.batches == [[b"0", b"1"], [b"2", b"3"]]


async def test_notes_wait_in_order_for_a_bus_that_is_away() -> None:
    bus, clock = Bus(), VirtualClock()
    bus.failures = 2
    writer = NoteWriter(port(bus), clock)
    await writer.add(message(1))
    flush = asyncio.create_task(writer.flush())
    await clock.advance(0.5)
    await writer.add(message(2))
    await clock.advance(0.99)
    assert not flush.done()
    await clock.advance(0.01)
    await flush
    assert bus.batches == [[b"1", b"2"]]


async def test_a_flush_that_is_cancelled_loses_nothing() -> None:
    bus = Bus()
    bus.gate = asyncio.Event()
    writer = NoteWriter(port(bus), VirtualClock())
    await writer.add(message(1))
    flush = asyncio.create_task(writer.flush())
    await settle()
    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)
    bus.gate.set()
    await writer.flush()
    assert bus.batches == [[b"1"]]


async def test_deltas_that_cannot_be_published_are_dropped() -> None:
    bus, clock = Bus(), VirtualClock()
    bus.failures = 1
    writer = DeltaWriter(port(bus), clock)
    duty = asyncio.create_task(writer.run())
    buffer = DeltaBuffer(writer, "p01-a", str.encode)
    await buffer.add("lost")
    await clock.advance(0.25)
    await buffer.add("shown")
    await clock.advance(0.25)
    assert bus.batches == [[b"shown"]]
    duty.cancel()


async def test_deltas_of_all_tasks_are_published_in_one_call() -> None:
    bus, clock = Bus(), VirtualClock()
    writer = DeltaWriter(port(bus), clock)
    duty = asyncio.create_task(writer.run())
    for name in ("a", "b"):
        await DeltaBuffer(writer, "p01-a", str.encode).add(name)
    await clock.advance(0.25)
    assert [sorted(batch) for batch in bus.batches] == [[b"a", b"b"]]
    duty.cancel()

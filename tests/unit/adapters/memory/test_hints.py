from __future__ import annotations

import asyncio

from stagewright.adapters.memory.hints import LISTENER_KEEPS, Listener, Waiters, wait
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock, settle


async def test_a_waiter_leaves_nothing_behind() -> None:
    clock, readers = VirtualClock(), Waiters()
    waiting = asyncio.create_task(wait(clock, [readers], clock.now_ms() + 60_000, 60))
    await settle()
    readers.wake()
    await waiting
    await settle()
    assert (readers._waiting, clock.sleepers) == ({}, 0)


async def test_what_falls_due_later_than_a_waiter_sleeps_does_not_wake_it() -> None:
    clock, readers = VirtualClock(), Waiters()
    until_ms = clock.now_ms() + 5_000
    waiting = asyncio.create_task(wait(clock, [readers], until_ms, 5))
    await settle()
    readers.wake(until_ms)
    await settle()
    assert not waiting.done()
    readers.wake(until_ms - 1)
    await settle()
    assert waiting.done()


async def test_a_listener_keeps_a_bounded_number_of_unread_messages() -> None:
    listener = Listener(Topic.DELTAS, None)
    for number in range(LISTENER_KEEPS + 5):
        listener.tell(Message("p00-x", b"%d" % number))
    assert (await anext(listener)).body == b"5"

from __future__ import annotations

import asyncio

from stagewright.application.alarm import Alarm
from stagewright.testing.clock import VirtualClock, settle


async def test_it_wakes_after_its_delay() -> None:
    clock = VirtualClock()
    waiting = asyncio.create_task(Alarm(clock).wait(2))
    await clock.advance(1.9)
    assert not waiting.done()
    await clock.advance(0.1)
    assert waiting.done()


async def test_a_ring_wakes_it_early_and_leaves_no_sleeper() -> None:
    clock = VirtualClock()
    alarm = Alarm(clock)
    waiting = asyncio.create_task(alarm.wait(2))
    await settle()
    alarm.ring()
    alarm.ring()
    await settle()
    assert waiting.done()
    assert clock.sleepers == 0


async def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    clock = VirtualClock()
    alarm = Alarm(clock)
    alarm.ring()
    await alarm.wait()
    again = asyncio.create_task(alarm.wait())
    await clock.advance(100)
    assert not again.done()
    again.cancel()

from __future__ import annotations

import asyncio

import pytest

from stagewright.testing.clock import VirtualClock, settle


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(start_ms=5_000)
    await asyncio.sleep(0)
    assert (clock.now_ms(), clock.monotonic_s()) == (5_000, 0.0)
    await clock.advance(1.25)
    assert (clock.now_ms(), clock.monotonic_s()) == (6_250, 1.25)


async def test_sleepers_wake_in_order_each_at_its_own_instant() -> None:
    clock = VirtualClock(start_ms=0)
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((name, clock.now_ms()))

    async with asyncio.TaskGroup() as group:
        for name, delay_s in (("c", 3), ("a", 1), ("b", 2), ("late", 9), ("d", 3)):
            group.create_task(sleeper(name, delay_s))
        await clock.advance(5)
        assert woken == [("a", 1_000), ("b", 2_000), ("c", 3_000), ("d", 3_000)]
        assert (clock.sleepers, clock.next_wake_ms) == (1, 9_000)
        await clock.advance(5)
    assert woken[-1] == ("late", 9_000)


async def test_one_who_sleeps_again_is_woken_again_within_the_same_span() -> None:
    clock = VirtualClock(start_ms=0)
    ticks: list[int] = []

    async def ticking() -> None:
        while True:
            await clock.sleep(0.5)
            ticks.append(clock.now_ms())

    task = asyncio.create_task(ticking())
    await clock.advance(2)
    task.cancel()
    assert ticks == [500, 1_000, 1_500, 2_000]


async def test_what_a_woken_task_starts_is_done_before_time_goes_on() -> None:
    clock = VirtualClock(start_ms=0)
    seen: list[int] = []

    async def chain() -> None:
        await clock.sleep(1)
        for _ in range(200):
            await asyncio.sleep(0)
        seen.append(clock.now_ms())

    task = asyncio.create_task(chain())
    await clock.advance(10)
    assert (task.done(), seen) == (True, [1_000])


async def test_a_sleep_of_nothing_only_yields() -> None:
    clock = VirtualClock(start_ms=0)
    await clock.sleep(0)
    await clock.sleep(-1)
    assert (clock.now_ms(), clock.sleepers) == (0, 0)


async def test_nobody_wakes_before_the_millisecond_waited_for() -> None:
    clock = VirtualClock(start_ms=0)
    await clock.advance(0.0004)
    sleeping = asyncio.create_task(clock.sleep(0.001))
    await settle()
    assert clock.next_wake_ms == 2
    sleeping.cancel()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = VirtualClock(start_ms=0)
    task = asyncio.create_task(clock.sleep(5))
    await settle()
    task.cancel()
    await settle()
    assert (clock.sleepers, clock.next_wake_ms) == (0, None)


async def test_setting_the_clock_forward_wakes_all_whose_instant_has_passed() -> None:
    clock = VirtualClock(start_ms=0)
    tasks = [asyncio.create_task(clock.sleep(delay_s)) for delay_s in (1, 2, 30)]
    await settle()
    clock.set_ms(10_000)
    await settle()
    assert [task.done() for task in tasks] == [True, True, False]
    clock.set_ms(5_000)
    assert clock.now_ms() == 10_000
    tasks[2].cancel()


async def test_in_automatic_mode_time_jumps_to_the_next_sleeper() -> None:
    clock = VirtualClock(start_ms=0)
    async with clock.auto():
        async with asyncio.timeout(5):
            await clock.sleep(86_400)
            await asyncio.gather(*(clock.sleep(delay_s) for delay_s in (3, 1, 2)))
    assert clock.now_ms() == 86_403_000


async def test_automatic_mode_ends_with_its_block() -> None:
    clock = VirtualClock(start_ms=0)
    async with clock.auto():
        await clock.sleep(1)
    task = asyncio.create_task(clock.sleep(1))
    await settle()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await asyncio.shield(task)
    task.cancel()
    assert clock.now_ms() == 1_000

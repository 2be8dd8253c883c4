"""A loop whose time jumps when nothing else can be done."""

from __future__ import annotations

import asyncio
import math
import time

import anyio
import pytest

from stagewright.testing.clock import VirtualClock
from stagewright.testing.loop import Stuck, run_virtually

DAY_S = 86_400.0


def test_days_pass_in_no_time() -> None:
    clock = VirtualClock()

    async def main() -> float:
        await clock.sleep(30 * DAY_S)
        await asyncio.sleep(DAY_S)
        with anyio.move_on_after(DAY_S):
            await anyio.sleep_forever()
        return clock.monotonic_s()

    assert run_virtually(clock, main) == pytest.approx(32 * DAY_S, abs=0.1)


def test_sleepers_of_clock_and_loop_wake_in_the_order_of_their_instants() -> None:
    clock, woken = VirtualClock(), list[str]()

    async def sleep(name: str, sleeping: object) -> None:
        await sleeping  # type: ignore[misc]
        woken.append(name)

    async def main() -> None:
        sleepers = [
            sleep("third", clock.sleep(3)),
            sleep("second", asyncio.sleep(2)),
            sleep("first", clock.sleep(1)),
        ]
        await asyncio.gather(*sleepers)

    run_virtually(clock, main)
    assert woken == ["first", "second", "third"]


def test_a_timer_that_is_due_but_for_a_rounding_error_does_not_spin() -> None:
    async def main() -> int:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        await asyncio.sleep(8.609)
        deadline, rounds = math.nextafter(loop.time(), math.inf), 0

        def look() -> None:
            nonlocal rounds
            rounds += 1
            if loop.time() >= deadline or rounds > 10:
                done.set()
            else:
                loop.call_at(deadline, look)

        look()
        await done.wait()
        return rounds

    assert run_virtually(VirtualClock(), main) <= 3


def test_waiting_for_what_never_comes_is_told() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="nothing will ever come"):
        run_virtually(VirtualClock(), main)


def test_spinning_is_told() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 - spinning on purpose
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="somebody spins"):
        run_virtually(VirtualClock(), main)


def test_time_passes_as_it_does_while_a_thread_works() -> None:
    clock = VirtualClock()

    async def main() -> float:
        sleeper = asyncio.create_task(clock.sleep(DAY_S))
        await asyncio.to_thread(time.sleep, 0.02)
        sleeper.cancel()
        return clock.monotonic_s()

    assert run_virtually(clock, main) < DAY_S


async def test_it_can_be_used_from_within_a_running_loop() -> None:
    clock = VirtualClock()

    async def main() -> int:
        await asyncio.sleep(5)
        return clock.now_ms() - 1_750_000_000_000

    assert run_virtually(clock, main) == 5_000

from __future__ import annotations

import time

from stagewright.adapters.system.clock import SystemClock


def test_the_time_is_this_machines_time_in_milliseconds() -> None:
    before = time.time() * 1000
    found = SystemClock().now_ms()
    assert isinstance(found, int)
    assert before - 1 <= found <= time.time() * 1000


def test_monotonic_seconds_never_go_back() -> None:
    clock = SystemClock()
    found = [clock.monotonic_s() for _ in range(100)]
    assert found == sorted(found)


async def test_a_sleeper_wakes_after_its_delay_and_not_before() -> None:
    clock = SystemClock()
    began_s = clock.monotonic_s()
    await clock.sleep(0.01)
    assert clock.monotonic_s() - began_s >= 0.01

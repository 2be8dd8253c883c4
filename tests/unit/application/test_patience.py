from __future__ import annotations

import asyncio

import pytest

from stagewright.application.patience import patiently
from stagewright.domain.errors import Conflict, OutcomeUnknown, StagewrightError, Unreachable
from stagewright.testing.clock import VirtualClock


def failing(*errors: StagewrightError) -> tuple[list[int], object]:
    times: list[int] = []
    left = list(errors)

    async def call(clock: VirtualClock) -> str:
        times.append(round(clock.monotonic_s() * 1000))
        if left:
            raise left.pop(0)
        return "done"

    return times, call


async def test_it_tries_again_ever_more_slowly_until_the_backend_is_back() -> None:
    clock = VirtualClock()
    times, call = failing(*[Unreachable("x"), OutcomeUnknown("x")] * 4)
    task = asyncio.create_task(patiently(clock, "testing", lambda: call(clock)))  # type: ignore[operator]
    await clock.advance(100)
    assert await task == "done"
    assert times == [0, 500, 1_500, 3_500, 7_500, 15_500, 25_500, 35_500, 45_500]


async def test_other_errors_are_not_patience_s_business() -> None:
    clock = VirtualClock()
    _, call = failing(Conflict("no"))
    with pytest.raises(Conflict):
        await patiently(clock, "testing", lambda: call(clock))  # type: ignore[operator]

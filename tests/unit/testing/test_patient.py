from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from stagewright.adapters.memory import open_backend
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Topic
from stagewright.ports.system import IClock
from stagewright.testing.patient import PatientClock, patient

REAL_S = 0.05


class Slow:
    """A port whose answers take real time."""

    def __init__(self, port: Any) -> None:
        self._port = port

    async def get(self, key: str, now_ms: int) -> bytes | None:
        await asyncio.sleep(REAL_S)
        value: bytes | None = await self._port.get(key, now_ms)
        return value


@asynccontextmanager
async def slow(url: str, options: BackendOptions, clock: IClock) -> AsyncIterator[Backend]:
    async with open_backend(url, options, clock) as backend:
        kv: Any = Slow(backend.kv)
        yield replace(backend, kv=kv)


@asynccontextmanager
async def opened(clock: PatientClock) -> AsyncIterator[Backend]:
    async with patient(slow)("memory://", BackendOptions(partitions=1), clock) as backend:
        yield backend


async def ticking(clock: PatientClock) -> None:
    while True:
        await clock.sleep(1)


async def test_time_stands_still_while_a_call_is_under_way() -> None:
    clock = PatientClock()
    async with opened(clock) as backend, clock.auto():
        ticker = asyncio.ensure_future(ticking(clock))
        before_ms = clock.now_ms()
        await backend.kv.get("key", before_ms)
        assert clock.now_ms() - before_ms <= 1_000
        ticker.cancel()


async def test_a_call_that_waits_for_time_to_pass_gets_it() -> None:
    clock = PatientClock()
    async with opened(clock) as backend, clock.auto():
        before_ms = clock.now_ms()
        await backend.bus.receive({0: ""}, 1, 3_600.0, before_ms, 1_000)
        assert clock.now_ms() - before_ms == 3_600_000


async def test_a_subscription_that_stands_is_no_call() -> None:
    clock = PatientClock()
    async with opened(clock) as backend, clock.auto(), backend.bus.subscribe(Topic.WAKE):
        await clock.sleep(60)
        assert not clock.busy

"""What a backend brings so that the contract suites can run against it.

A suite is a class to inherit. Its tests take three fixtures: `harness` (a Harness, opened anew for
each test over an empty namespace), `backend` (`harness.backend`) and `clock` (`harness.clock`).

    class TestTaskQueue(TaskQueueContract): ...

Time in the suites is virtual: adapters use the `now_ms` they are given and wait through the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

from stagewright.ports.backend import Backend, BackendOptions, OpenBackend
from stagewright.ports.health import Durability
from stagewright.testing.clock import VirtualClock

PARTITIONS = 4
FEED_RETENTION_S = 600.0
AUDIT_RETENTION_S = 3_600.0
OPTIONS = BackendOptions(
    partitions=PARTITIONS,
    feed_retention_s=FEED_RETENTION_S,
    audit_retention_s=AUDIT_RETENTION_S,
)

_REAL_GIVE_UP_S = 20.0
_REAL_PAUSE_S = 0.002

T = TypeVar("T")


@dataclass
class Harness:
    """One backend under test, and the clock that drives it."""

    open_backend: OpenBackend
    url: str
    clock: VirtualClock
    options: BackendOptions = OPTIONS
    durability: Durability = "none"
    """The declared class: suites assert that `health` names it and that a restart shows it."""

    def __post_init__(self) -> None:
        self._stack = AsyncExitStack()
        self._backend: Backend | None = None

    @property
    def backend(self) -> Backend:
        """The backend as it is open now; another object after `restart`."""
        assert self._backend is not None, "The harness is not open."
        return self._backend

    @property
    def durable(self) -> bool:
        """Whether what was committed outlives the backend."""
        return self.durability != "none"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Keep the backend open."""
        await self._open()
        try:
            yield self
        finally:
            await self._close()

    async def restart(self) -> Backend:
        """Close the backend and open it again over the same data; return the new one."""
        await self._close()
        await self._open()
        return self.backend

    async def _open(self) -> None:
        opening = self.open_backend(self.url, self.options, self.clock)
        self._backend = await self._stack.enter_async_context(opening)

    async def _close(self) -> None:
        self._backend = None
        await self._stack.aclose()


async def at_once(awaitable: Awaitable[T]) -> T:
    """Await something that must happen while the virtual clock stands still."""
    async with asyncio.timeout(_REAL_GIVE_UP_S):
        return await awaitable


async def drive(clock: VirtualClock, awaitable: Awaitable[T], *, give_up_s: float = 300.0) -> T:
    """Advance the clock until something has happened; AssertionError after `give_up_s` virtual."""
    task = asyncio.ensure_future(awaitable)
    end_ms = clock.now_ms() + give_up_s * 1000
    try:
        while clock.now_ms() < end_ms:
            await asyncio.wait({task}, timeout=_REAL_PAUSE_S)  # a server answers in real time
            if task.done():
                return task.result()
            await clock.advance(0.25)
        raise AssertionError(f"Nothing happened within {give_up_s:g} s of virtual time.")
    finally:
        task.cancel()

"""Time that passes when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_QUIET_ROUNDS = 3
_MOST_ROUNDS = 10_000
_ROUNDS_UNSEEN = 50


class VirtualClock:
    """An IClock that stands still until it is advanced.

    `await advance(seconds)` lets time pass and wakes sleepers in the order of their instants, each
    at its own instant, so one that sleeps again within the span is woken again. Inside `async with
    clock.auto():` time jumps to the next sleeper whenever the event loop has nothing else to do.
    """

    def __init__(self, start_ms: int = 1_750_000_000_000) -> None:
        self._start_us = start_ms * 1_000
        self._now_us = self._start_us
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ms(self) -> int:
        """Return the virtual milliseconds since the epoch."""
        return self._now_us // 1_000

    def monotonic_s(self) -> float:
        """Return the virtual seconds since this clock was made."""
        return (self._now_us - self._start_us) / 1e6

    async def sleep(self, delay_s: float) -> None:
        """Sleep until the clock has been advanced by so much; 0 or less only yields."""
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        # Rounded up to whole milliseconds: who sleeps until an instant must not wake before it.
        wake_us = -(-(self._now_us + round(delay_s * 1e6)) // 1_000) * 1_000
        heapq.heappush(self._sleepers, (wake_us, self._count, waker))
        await waker

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return sum(not waker.done() for _, _, waker in self._sleepers)

    @property
    def next_wake_ms(self) -> int | None:
        """When the next sleeper wakes, None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] // 1_000 if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Let time pass; returns when the woken have done all they can do at once."""
        end_us = self._now_us + round(seconds * 1e6)
        await settle()
        while (next_ms := self.next_wake_ms) is not None and next_ms * 1_000 <= end_us:
            self._wake_next()
            await settle()
        self._now_us = max(self._now_us, end_us)

    def set_ms(self, now_ms: int) -> None:
        """Put the clock forward at once and wake, in order, all whose instant has passed."""
        self._now_us = max(self._now_us, now_ms * 1_000)
        while (next_ms := self.next_wake_ms) is not None and next_ms * 1_000 <= self._now_us:
            self._wake_next()

    @asynccontextmanager
    async def auto(self) -> AsyncIterator[None]:
        """Jump to the next sleeper whenever the event loop is otherwise idle."""
        jumper = asyncio.create_task(self._jump_when_idle())
        try:
            yield
        finally:
            jumper.cancel()
            with suppress(asyncio.CancelledError):
                await jumper

    async def _jump_when_idle(self) -> None:
        while True:
            await settle()
            if self.next_wake_ms is None:
                await asyncio.sleep(0.001)  # real: only input from outside can go on from here
            else:
                self._wake_next()

    def _wake_next(self) -> None:
        wake_us, _, waker = heapq.heappop(self._sleepers)
        self._now_us = max(self._now_us, wake_us)
        if not waker.done():
            waker.set_result(None)


async def settle() -> None:
    """Yield until no other task of the event loop is ready to run.

    What waits for sockets or threads is not ready. On an event loop that hides its ready queue
    (uvloop), a fixed number of rounds stands in.
    """
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    if ready is None:
        for _ in range(_ROUNDS_UNSEEN):
            await asyncio.sleep(0)
        return
    quiet = 0
    for _ in range(_MOST_ROUNDS):
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet == _QUIET_ROUNDS:
            return

"""Waiting for an instant that may come earlier than thought."""

from __future__ import annotations

import asyncio

from stagewright.ports.system import IClock


class Alarm:
    """One waiter that sleeps until its delay is over or somebody rings."""

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter, or let the next wait return at once."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, delay_s: float | None = None) -> None:
        """Return when rung, or after a delay; None waits for the ring alone."""
        if not self._rung:
            self._waiter = asyncio.get_running_loop().create_future()
            sleeper = None if delay_s is None else asyncio.create_task(self._sleep(delay_s))
            try:
                await self._waiter
            finally:
                self._waiter = None
                if sleeper is not None:
                    sleeper.cancel()
        self._rung = False

    async def _sleep(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self.ring()

"""Hints that something falls due, from who sets a timer to who waits for it in another process.

Whoever owns a partition sleeps until the next instant that it knows of. A hint that is lost costs
the time between two looks: see `watch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from stagewright.adapters.redis.listeners import Listeners
from stagewright.adapters.redis.shared import Shared
from stagewright.domain.errors import StagewrightError

_PAUSE_S = 1.0


class Alarms:
    """Listens from the first wait on, for all partitions."""

    def __init__(self, shared: Shared, listeners: Listeners) -> None:
        self._shared, self._listeners = shared, listeners
        self._partitions = {part.alarm: part.number for part in shared.keys.partitions}
        self._listening: asyncio.Task[None] | None = None

    def attend(self) -> None:
        """See to it that hints are heard."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            with suppress(StagewrightError):
                async with self._listeners.listening(list(self._partitions), self._hear):
                    await asyncio.get_running_loop().create_future()
            await asyncio.sleep(_PAUSE_S)

    def _hear(self, channel: str, said: bytes) -> None:
        if said.isdigit() and channel in self._partitions:
            self._shared.watch.falls_due(self._partitions[channel], int(said))

    async def close(self) -> None:
        """Stop to listen."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening


async def tell(shared: Shared, instants: Mapping[int, int]) -> None:
    """Tell who owns some partitions when the next thing falls due in each."""
    parts, now_ms = shared.keys.partitions, shared.clock.now_ms()
    hints = [
        ("PUBLISH", parts[number].alarm, at_ms)
        for number, at_ms in instants.items()
        if not shared.watch.watches(number, now_ms)
    ]
    if hints:
        with suppress(StagewrightError):
            await shared.functions.run(hints)

"""How the whole system is, for those who follow everything: asked once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from stagewright.application.feed_hub import HEARTBEAT_S, Hub
from stagewright.application.feed_seat import Batch, Word
from stagewright.application.feed_words import message
from stagewright.ports.control import IQueries
from stagewright.ports.system import IClock

FRESH_MS = 1_000


class Overview:
    """Level and counts, at most a second old."""

    def __init__(self, queries: IQueries, clock: IClock, hub: Hub) -> None:
        self._queries, self._clock, self._hub = queries, clock, hub
        self._asking = asyncio.Lock()
        self._found: dict[str, Any] = {}
        self._watchers = 0
        self._watching: asyncio.Task[None] | None = None

    async def now(self) -> dict[str, Any]:
        """Return `level`, `reason`, `counts` by status and `at_ms`."""
        async with self._asking:
            if self._clock.now_ms() - self._found.get("at_ms", 0) >= FRESH_MS:
                view = await self._queries.system()
                self._found = view.model_dump(include={"level", "reason", "counts", "at_ms"})
        return self._found

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Tell everybody when the level changes, until the block is left."""
        self._watchers += 1
        self._watching = self._watching or asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._watchers -= 1
            if self._watchers == 0 and self._watching is not None:
                watching, self._watching = self._watching, None
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching

    async def _watch(self) -> None:
        known: tuple[Any, Any] | None = None
        while True:
            now = await self.now()
            if known is not None and known != (now["level"], now["reason"]):
                self._hub.tell(Batch(Word.EPHEMERAL, messages=[message("health", now)]))
            known = (now["level"], now["reason"])
            await self._clock.sleep(HEARTBEAT_S)

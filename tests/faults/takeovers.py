"""A crew over a master whose replica is promoted after the link to it was cut."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import anyio

from stagewright.entrypoints.settings import Settings
from stagewright.testing.failover import Forwarder, RedisPair
from tests.faults.crew import Crew

CUT_S = (0.2, 0.6)
"""Between the cut and the promotion."""


class Takeovers(Crew):
    """Everyone reaches the master of the moment by one address."""

    def __init__(
        self, pair: RedisPair, forwarder: Forwarder, folder: Path, chance: random.Random, query: str
    ) -> None:
        super().__init__(Settings(url=forwarder.url + query), folder)
        self._pair, self._forwarder, self._chance = pair, forwarder, chance
        self.lost: set[str] = set()
        """Workflows that were acknowledged and went with a master."""

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, seed: int, query: str = "") -> AsyncIterator[Self]:
        """Start both servers and everyone who works there."""
        with RedisPair() as pair:
            async with Forwarder(pair.master.port).running() as forwarder:
                crew = cls(pair, forwarder, folder, random.Random(seed), query)
                await crew.start()
                try:
                    yield crew
                finally:
                    await crew.stop()

    async def take_over(self) -> None:
        """Cut the link, let everyone work on without it, and promote the replica."""
        await anyio.to_thread.run_sync(self._pair.cut)
        await anyio.sleep(self._chance.uniform(*CUT_S))
        await anyio.to_thread.run_sync(self._pair.promote)
        self._forwarder.switch(self._pair.master.port)
        await anyio.to_thread.run_sync(self._pair.recruit)
        self.lost |= set(self.submitter.acknowledged) - await self.stored()

    async def under_load(self, workflows: int, takeovers: int) -> None:
        """Submit workflows while the replica takes over, again and again."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.submitter.submit, range(workflows), 0.02)
            for _ in range(takeovers):
                await anyio.sleep(0.3 + self._chance.random() / 2)
                await self.take_over()

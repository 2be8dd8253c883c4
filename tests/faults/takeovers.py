"""A crew over a master whose replica is promoted after the link to it was cut."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import anyio

from stagewright.domain.ids import partition_of
from stagewright.entrypoints.settings import Settings
from stagewright.testing.failover import Forwarder, RedisPair
from tests.faults.crew import Crew

RECOVERY_LIMIT_S = 90.0
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


async def prove_nothing_is_lost(folder: Path, seed: int, *, workflows: int, takeovers: int) -> None:
    """Answers wait for the replica: whatever was acknowledged is there, whole, and completes."""
    async with Takeovers.running(folder, seed, "?replicas=1") as crew:
        await crew.under_load(workflows, takeovers)
        await crew.completed(workflows, RECOVERY_LIMIT_S)
        assert crew.lost == set()
        assert await crew.violations() == []
        assert await crew.losses() == []
    assert len(crew.submitter.acknowledged) == workflows


async def prove_losses_are_noticed(
    folder: Path, seed: int, *, workflows: int, takeovers: int
) -> None:
    """Answers do not wait: what went with a master is reported, and all the rest completes."""
    async with Takeovers.running(folder, seed) as crew:
        await crew.under_load(workflows, takeovers)
        assert await crew.reported({partition_of(id_) for id_ in crew.lost}, 20)
        await crew.submitter.submit(range(workflows), 0.0)  # their keys: what is there is not made
        await crew.completed(workflows, RECOVERY_LIMIT_S)
        assert await crew.violations() == []
    assert crew.lost
    assert "loss_noticed" in crew.said()

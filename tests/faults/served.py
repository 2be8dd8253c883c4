"""The same scene with the real runner of agents, whose outputs are all too big to travel."""

from __future__ import annotations

from typing import Any

from stagewright.application.agents import AgentError, agent
from stagewright.application.catalog import Catalog
from stagewright.application.context import AgentContext
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity
from stagewright.domain.ids import TaskId
from stagewright.ports.backend import Backend
from tests.faults.crashes import Scene

OPTIONS = RunnerOptions(lease_s=5.0, inline_bytes=1, presence_s=10.0, presence_ttl_s=30.0)
SLOW = ("prepare", "test")
"""Stages in which leases are renewed, and that last so long that who stalled comes back amid it."""


class ServedScene(Scene):
    """Contracts, heartbeats, presence, hints, notes and blobs are in play, and may be harmed."""

    identity: Identity | None = None
    """None: every runner has a name of its own."""

    async def work(self, backend: Backend) -> None:
        @agent("worker")
        async def worker(given: Any, ctx: AgentContext) -> Any:
            await ctx.log(f"working on {ctx.stage}")
            await self.clock.sleep(4.0 if ctx.stage in SLOW else 0.1)
            task = TaskId(ctx.workflow_id, ctx.stage, ctx.visit, ctx.attempt)
            said = self.script(task, given)
            if "errors" in said:
                raise AgentError(said["errors"][0]["message"])
            return said["value"]

        parts = (self.clock, self.ids, self.randomness)
        told: Any = {"identity": self.identity, "catalog": self.catalog(backend)}
        await AgentRunner(backend, {worker: 10}, *parts, options=OPTIONS, **told).run()

    def catalog(self, _: Backend) -> Catalog | None:
        """Results go through the inbox."""
        return None


class DecidingScene(ServedScene):
    """The runner decides its results itself."""

    def catalog(self, backend: Backend) -> Catalog | None:
        """Return what it needs to know for that."""
        return Catalog(backend.registry, self.clock)

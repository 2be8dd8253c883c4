"""A desk over a world in which time passes only when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from stagewright.application.context import Bounds
from stagewright.application.desk import AgentDesk
from stagewright.application.desk_means import DeskMeans
from stagewright.domain.contracts import Contract
from stagewright.ports.agent_desk import Claimed, ClaimRequest, LeasedTask, Receipt, TaskResult
from tests.unit.application.world import World

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}


class Desk:
    """One server's desk, and shorter ways to use it."""

    def __init__(self, world: World, bounds: Bounds | None = None) -> None:
        parts = (world.catalog, world.clock, world.ids, world.randomness)
        self.world = world
        self.desk = AgentDesk(world.backend, *parts, bounds=bounds)
        self.means = DeskMeans(self.desk, world.backend.blobs)

    async def claim(self, agent: str = "build", **fields: Any) -> Claimed:
        return await self.desk.claim(agent, ClaimRequest(**{"holder": "node-1", **fields}))

    async def task(self, agent: str = "build", **fields: Any) -> LeasedTask:
        """Claim the one task that is there."""
        (task,) = (await self.claim(agent, **fields)).tasks
        return task

    async def complete(self, task: LeasedTask, output: Any = None, **fields: Any) -> Receipt:
        result = TaskResult(token=task.token, output=output, **fields)
        return await self.desk.finish(task.task, result)

    async def fail(self, task: LeasedTask, type_: str = "error", **facts: Any) -> Receipt:
        error = {"type": type_, "message": "it broke", **facts}
        result = TaskResult(token=task.token, status="failure", errors=[error])
        return await self.desk.finish(task.task, result)

    async def expire(self, task: LeasedTask) -> None:
        """Let the lease run out, as the owner of the partition finds it."""
        await self.world.lose_lease(claimed_of(task))


def claimed_of(task: LeasedTask) -> Any:
    """What `World` needs of a claimed task."""

    class _Claimed:
        task_id, token = task.task, task.token

    return _Claimed


def contract(name: str, **fields: Any) -> Contract:
    return Contract(name=name, input=TEXT, output=TEXT, **fields)


@asynccontextmanager
async def opened(world: World, bounds: Bounds | None = None) -> AsyncIterator[Desk]:
    """A desk at work."""
    desk = Desk(world, bounds)
    async with desk.desk.running():
        yield desk

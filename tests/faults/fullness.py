"""A deployment whose store gets full under load, and has room again later."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

import anyio
import orjson
from pydantic import BaseModel

from stagewright import AgentContext, Stagewright, Workflow, agent, stage
from stagewright.adapters.http.problems import status_of
from stagewright.domain.errors import StoreFull, Unreachable
from stagewright.entrypoints.connections import connection_of
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.diagnosis import Finding, diagnose
from stagewright.entrypoints.hosting import orchestrating, runner_of, running
from stagewright.entrypoints.settings import Settings
from stagewright.ports.backend import Backend
from stagewright.ports.views import SystemView
from stagewright.testing.checker import Execution, gather, judge

PAD_BYTES = 20_000
REFUSALS = 3
AT_ONCE = 5
"""Tasks that each sort of agent has in hand when the store gets full."""
RESUMED_WITHIN_S = 30.0
PATIENCE_S = 90.0
BEATS = 4
"""Heartbeats in longer than a lease lasts: leases are renewed meanwhile, or run out."""
WAYS = ("steps", "inbox")


class Load(BaseModel):
    """Something to carry: each stage hands in as much as it was given."""

    number: int
    pad: str


class Room(Protocol):
    """The place that a store has."""

    async def shrink(self, backend: Backend) -> None:
        """Leave only a little more than is in use."""
        ...

    async def seal(self, backend: Backend) -> None:
        """Leave nothing, so that it stays full whatever is freed by chance."""
        ...

    async def grow(self, backend: Backend) -> None:
        """Give plenty."""
        ...


class Works:
    """An orchestrator, agents that hand in both ways and wait at a gate, and a client."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.gate = asyncio.Event()
        self.journal: list[Execution] = []
        self.acknowledged: list[str] = []
        self.refusals: list[StoreFull] = []
        self.called, self.refused = Counter[str](), Counter[str]()
        """Calls of the queue, and those that were refused for want of room, by method."""
        self.client = Stagewright.over(lambda: nullcontext(connection_of(container.control())))
        backend = container.backend()
        container.backend.override(replace(backend, tasks=_Counted(backend.tasks, self)))
        self.backend: Backend = container.backend()
        self._agents = {way: self._agent(way) for way in WAYS}

    def _agent(self, way: str) -> Any:
        @agent(way)
        async def carry(task: Load, ctx: AgentContext) -> Load:
            body = orjson.dumps(task.model_dump(), option=orjson.OPT_SORT_KEYS)
            self.journal.append(Execution(ctx.workflow_id, ctx.stage, ctx.visit, body))
            await self.gate.wait()
            return task

        return carry

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything until the block is left."""
        by_inbox: dict[str, Any] = {"catalog": None, "agents": {self._agents["inbox"]: AT_ONCE}}
        async with AsyncExitStack() as stack:
            for way, carry in self._agents.items():
                flow = Workflow(f"by-{way}", *(stage(n, agent=carry) for n in "ab"), input=Load)
                contracts = [carry.contract.model_dump(mode="json")]
                await self.client.register(flow.data(), contracts=contracts)
            await stack.enter_async_context(orchestrating(self.container))
            for runner in (
                runner_of(self.container, [self._agents["steps"]]),
                self.container.runner(options=self.container.runner_options(), **by_inbox),
            ):
                await stack.enter_async_context(running(runner))
            yield

    async def fill(self) -> None:
        """Start workflows until the store has refused some; those are not tried again."""
        number = 0
        while len(self.refusals) < REFUSALS:
            number += 1
            load = Load(number=number, pad="x" * PAD_BYTES)
            try:
                started = await self.client.start(f"by-{WAYS[number % 2]}", load.model_dump())
            except StoreFull as error:
                self.refusals.append(error)
            else:
                self.acknowledged.append(started.workflow_id)

    async def look(self) -> tuple[SystemView, dict[str, Finding]]:
        """What health and doctor say."""
        findings = {finding.check: finding for finding in await diagnose(self.client)}
        return await self.client.system(), findings

    async def completed(self) -> int:
        """How many workflows have completed."""
        return (await self.backend.store.counts()).get("completed", 0)


class _Counted:
    """A queue that counts what it is asked, and what it refuses for want of room."""

    def __init__(self, queue: Any, works: Works) -> None:
        self._queue, self._works = queue, works

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._works.called[name] += 1
            try:
                return await getattr(self._queue, name)(*arguments, **named)
            except Unreachable:
                self._works.refused[name] += 1
                raise

        return call


async def until(look: Callable[[], Awaitable[bool] | bool], limit_s: float) -> None:
    """Return once something has come true."""
    with anyio.fail_after(limit_s):
        while True:
            found = look()
            if found is True or (not isinstance(found, bool) and await found):
                return
            await anyio.sleep(0.05)


async def get_full_and_recover(settings: Settings, room: Room) -> Works:
    """Fill the store, let agents hand in both ways, look, make room, and see all of it end."""
    async with opened(settings) as container:
        works = Works(container)
        async with works.running():
            await room.shrink(works.backend)
            await works.fill()
            assert all(error.remedy and status_of(error) == 503 for error in works.refusals)
            await room.seal(works.backend)
            works.gate.set()
            await until(lambda: works.refused["advance"] > 0, PATIENCE_S)
            await until(lambda: works.refused["complete"] > 0, PATIENCE_S)
            await until(lambda: _told(works), PATIENCE_S)
            beats = works.called["extend"] + BEATS
            await until(lambda: works.called["extend"] >= beats, PATIENCE_S)
            done = await works.completed()
            await room.grow(works.backend)
            await until(lambda: _more_than(works, done), RESUMED_WITHIN_S)
            await until(lambda: _more_than(works, len(works.acknowledged) - 1), PATIENCE_S)
        evidence = await gather(works.backend.store, works.acknowledged)
        assert judge(works.acknowledged, evidence, works.journal) == []
        assert await works.completed() == len(works.acknowledged)  # what was refused is not there
    return works


async def _told(works: Works) -> bool:
    view, findings = await works.look()
    space = findings.get("space")
    return view.level == "minimal" and space is not None and space.status == "failed"


async def _more_than(works: Works, number: int) -> bool:
    return await works.completed() > number

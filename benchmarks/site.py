"""Stagewright on a backend of its own: the six-stage job under conditions that a sweep chooses."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio

from benchmarks.machine import watched
from stagewright.domain.builder import Workflow
from stagewright.entrypoints.bench.job import AGENTS, STAGES, definition, parcel
from stagewright.entrypoints.bench.measure import median, percentile
from stagewright.entrypoints.bench.processes import companions, embedded
from stagewright.entrypoints.bench.server import ServerClock, server_clock
from stagewright.entrypoints.collector import relax_collector
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.settings import Settings
from stagewright.ports.control import RegisterRequest, StartRequest
from stagewright.ports.workflow_store import Stored
from stagewright.testing.servers import RedisServer

JOB = "bench"
IN_FLIGHT = 256
LOOK_EVERY_S = 0.002
LIMIT_S = 300.0
LEAST_WORKFLOWS = 100
ENDED = b'"status":"completed"'


@dataclass(frozen=True, slots=True)
class Figures:
    """What one point of a sweep gave. Processor time is that of all processes together."""

    stages_per_s: float
    cpu_us_per_stage: float
    p50_ms: float
    p99_ms: float
    foreign_cores: float
    server_us_per_stage: float = math.nan
    """The part of the processor time that the server had, where there is one."""
    cold_ms: float = math.nan
    """How long it took to read one workflow from the store, where that was measured."""


@contextmanager
def backend_url(backend: str) -> Iterator[str]:
    """Yield the URL of a fresh backend: `redis` (AOF everysec), `sqlite` (FULL), `memory`."""
    if backend == "redis":
        with RedisServer(appendonly="everysec") as server:
            yield server.url
    elif backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="stagewright-growth-") as folder:
            yield f"sqlite:///{folder}/state.db"
    else:
        yield "memory://"


class Site:
    """An open backend that is staffed: orchestrator and agents work."""

    def __init__(self, container: Container, server: ServerClock | None = None) -> None:
        self.control = container.control()
        self.store = container.backend().store
        self._server = server or ServerClock()

    async def register(self, workflow: Workflow) -> None:
        """Register a definition with the contracts of the job's agents."""
        data = workflow.definition.model_dump(mode="json", by_alias=True)
        await self._register(data)

    async def register_job(self) -> None:
        """Register the six-stage job."""
        await self._register(definition().model_dump(mode="json", by_alias=True))

    async def _register(self, data: dict[str, object]) -> None:
        contracts = [agent.contract.model_dump(mode="json") for agent in AGENTS]
        await self.control.commands.register(RegisterRequest(definition=data, contracts=contracts))

    async def start_many(self, count: int, name: str, make: Callable[[int], object]) -> list[str]:
        """Start `count` workflows, some at a time; return their ids."""
        ids: list[str] = []
        numbers = iter(range(count))

        async def submit() -> None:
            for number in numbers:
                request = StartRequest(definition=name, input=make(number))
                ids.append((await self.control.commands.start(request)).workflow_id)

        async with anyio.create_task_group() as group:
            for _ in range(min(IN_FLIGHT, count)):
                group.start_soon(submit)
        return ids

    async def run_batch(self, count: int, make: Callable[[int], object] = parcel) -> None:
        """Run `count` workflows of the job at once and wait for all."""
        expected = await self._completed() + count
        with anyio.fail_after(LIMIT_S):
            await self.start_many(count, JOB, make)
            while await self._completed() < expected:  # noqa: ASYNC110 - a count in a store
                await anyio.sleep(0.005)

    async def run_one(self, make: Callable[[int], object] = parcel) -> float:
        """Run one workflow of the job; return milliseconds from its start to its stored end."""
        began = time.perf_counter()
        (workflow_id,) = await self.start_many(1, JOB, make)
        with anyio.fail_after(LIMIT_S):
            while not await self._ended(workflow_id):  # noqa: ASYNC110 - a state in a store
                await anyio.sleep(LOOK_EVERY_S)
        return (time.perf_counter() - began) * 1_000

    async def figures(
        self, workflows: int, idle: int, make: Callable[[int], object] = parcel
    ) -> Figures:
        """Measure throughput with `workflows` at once, then latency one after the other.

        Few workflows are run several times: the kernel counts processor time in hundredths of a
        second.
        """
        times = max(1, LEAST_WORKFLOWS // workflows)
        server_s = self._server.cpu_s()
        with watched([os.getpid()]) as batch:
            for _ in range(times):
                await self.run_batch(workflows, make)
        server_s = self._server.cpu_s() - server_s
        with watched([]) as single:
            latencies = [await self.run_one(make) for _ in range(idle)]
        stages = times * workflows * len(STAGES)
        return Figures(
            stages_per_s=stages / batch.seconds,
            cpu_us_per_stage=batch.cpu_s / stages * 1e6,
            p50_ms=median(latencies),
            p99_ms=percentile(latencies, 99),
            foreign_cores=max(batch.foreign_cores, single.foreign_cores),
            server_us_per_stage=server_s / stages * 1e6 if server_s else math.nan,
        )

    async def _ended(self, workflow_id: str) -> bool:
        (stored,) = await self.store.load([workflow_id])
        return isinstance(stored, Stored) and ENDED in stored.snapshot

    async def _completed(self) -> int:
        return (await self.store.counts()).get("completed", 0)


@asynccontextmanager
async def staffed_site(
    url: str, *, agent_processes: int = 1, partitions: int | None = None
) -> AsyncIterator[Site]:
    """Open a backend, register the job, start who works on it, warm up; end all on leaving."""
    settings = Settings(url=url, partitions=partitions)
    async with opened(settings) as container, server_clock(settings) as server:
        site = Site(container, server)
        await site.register_job()
        relax_collector()
        staff = (
            companions(settings, agent_processes)
            if url.startswith("redis")
            else embedded(container)
        )
        async with staff:
            await site.run_batch(100)
            yield site


def batch_sizes(most: int) -> Sequence[int]:
    """Return the powers of ten up to `most`."""
    return [size for size in (1, 10, 100, 1_000, 10_000, 100_000) if size <= most]

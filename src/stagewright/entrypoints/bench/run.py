"""Runs the job: many workflows for throughput, then one at a time for latency.

On a server the submitter, the orchestrator and the agents are separate processes; a SQLite file and
memory belong to one process, so all three share it. The report says which.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from stagewright.application.control import Control
from stagewright.domain.errors import StagewrightError, TimedOut
from stagewright.entrypoints.addresses import REDIS, scheme_of
from stagewright.entrypoints.bench.job import AGENTS, STAGES, definition, parcel
from stagewright.entrypoints.bench.measure import cpu_s, median, peak_rss_bytes, percentile
from stagewright.entrypoints.bench.place import own_place
from stagewright.entrypoints.bench.processes import Companion, companions, embedded
from stagewright.entrypoints.bench.server import ServerClock, server_clock
from stagewright.entrypoints.collector import relax_collector
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.settings import Settings
from stagewright.ports.control import RegisterRequest, StartRequest
from stagewright.ports.message_bus import Message, Topic

IN_FLIGHT = 256
"""Starts under way at once."""
SAMPLE = 10
LIMIT_S = 600.0
LATENCY_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How much is measured."""

    workflows: int = 2_000
    latency_workflows: int = 100
    agent_processes: int = 2
    """On a server; elsewhere agents share the one process."""
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What was measured; durations in the unit that the name says."""

    workflows_per_s: float
    stages_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_stage: float
    rss_bytes: dict[str, int]
    durability: str
    topology: str
    workflows: int
    replayed: int
    """Workflows of the sample whose log gave their snapshot byte for byte: all of them."""


class BenchFailed(StagewrightError):
    """The benchmark's own checks failed: its figures mean nothing."""


async def run_bench(settings: Settings, options: BenchOptions) -> BenchReport:
    """Measure; raises BenchFailed when a workflow of the sample does not replay."""
    async with (
        own_place(settings) as own,
        opened(own) as container,
        server_clock(own) as server,
    ):
        relax_collector()
        bench = _Bench(container, server, options)
        await bench.prepare()
        async with bench.staffed(own):
            return await bench.run()


class _Bench:
    def __init__(self, container: Container, server: ServerClock, options: BenchOptions) -> None:
        self._container = container
        self._control: Control = container.control()
        self._server = server
        self._options = options
        self._companions: Sequence[Companion] = ()
        self._ids: list[str] = []

    async def prepare(self) -> None:
        await self._control.commands.register(
            RegisterRequest(
                definition=definition().model_dump(mode="json", by_alias=True),
                contracts=[a.contract.model_dump(mode="json") for a in AGENTS],
            )
        )

    @asynccontextmanager
    async def staffed(self, settings: Settings) -> AsyncIterator[None]:
        """Start orchestrator and agents: beside us on a server, inside this process else."""
        if scheme_of(settings.url) in REDIS:
            async with companions(settings, self._options.agent_processes) as started:
                self._companions = started
                yield
        else:
            async with embedded(self._container):
                yield

    async def run(self) -> BenchReport:
        await self._throughput(min(100, self._options.workflows))  # warm caches and connections
        cpu_before, started = self._cpu_s(), time.perf_counter()
        ids = await self._throughput(self._options.workflows)
        elapsed_s = time.perf_counter() - started
        cpu_used_s = self._cpu_s() - cpu_before
        stages = self._options.workflows * len(STAGES)
        latencies = await self._one_by_one(self._options.latency_workflows)
        return BenchReport(
            workflows_per_s=round(self._options.workflows / elapsed_s, 1),
            stages_per_s=round(stages / elapsed_s, 1),
            p50_ms=round(median(latencies), 2),
            p99_ms=round(percentile(latencies, 99), 2),
            cpu_us_per_stage=round(cpu_used_s / stages * 1e6, 1),
            rss_bytes=self._memory(),
            durability=await self._control.commands.durability(),
            topology=self._topology(),
            workflows=self._options.workflows,
            replayed=await self._replay_sample(ids),
        )

    async def _throughput(self, workflows: int) -> list[str]:
        """Start that many workflows and wait until all are completed."""
        done_before = await self._completed()
        ids: list[str] = []
        numbers = iter(range(workflows))

        async def submit() -> None:
            for number in numbers:
                request = StartRequest(definition="bench", input=parcel(number))
                ids.append((await self._control.commands.start(request)).workflow_id)

        with anyio.move_on_after(self._options.limit_s) as scope:
            async with anyio.create_task_group() as group:
                for _ in range(min(IN_FLIGHT, workflows)):
                    group.start_soon(submit)
            while await self._completed() < done_before + workflows:  # noqa: ASYNC110 - a count
                await anyio.sleep(0.02)
        if scope.cancelled_caught:
            raise TimedOut("the benchmark", after_s=self._options.limit_s)
        return ids

    async def _completed(self) -> int:
        return (await self._container.backend().store.counts()).get("completed", 0)

    async def _one_by_one(self, workflows: int) -> list[float]:
        """Run so many on an idle system, one after another; the milliseconds of each."""
        async with self._container.backend().bus.subscribe(Topic.ENDED) as ends:
            return [await self._one(aiter(ends)) for _ in range(workflows)]

    async def _one(self, ends: AsyncIterator[Message]) -> float:
        """Run one workflow; milliseconds from its start until its end is heard of."""
        began = time.perf_counter()
        request = StartRequest(definition="bench", input=parcel(0))
        workflow_id = (await self._control.commands.start(request)).workflow_id
        with anyio.fail_after(LATENCY_LIMIT_S):
            while (await anext(ends)).workflow_id != workflow_id:
                pass
        return (time.perf_counter() - began) * 1_000

    async def _replay_sample(self, ids: Sequence[str]) -> int:
        sample = ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]
        for workflow_id in sample:
            report = await self._control.commands.replay(workflow_id)
            if not report.equal or report.steps != len(STAGES) + 1:
                raise BenchFailed(f"{workflow_id} does not replay: {report.difference}")
        return len(sample)

    def _cpu_s(self) -> float:
        used = cpu_s(os.getpid()) + self._server.cpu_s()
        return used + sum(cpu_s(companion.pid) for companion in self._companions)

    def _memory(self) -> dict[str, int]:
        found = {"submitter" if self._companions else "process": peak_rss_bytes(os.getpid())}
        found |= {companion.role: peak_rss_bytes(companion.pid) for companion in self._companions}
        return found | self._server.rss_bytes()

    def _topology(self) -> str:
        if not self._companions:
            return "one process: submitter, orchestrator and agents"
        return "processes: submitter, " + ", ".join(c.role for c in self._companions) + ", server"

"""The sweeps: what each stage costs as one thing grows and all else stays the same."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass

import anyio
import orjson

from benchmarks.machine import watched
from benchmarks.site import Figures, Site, backend_url, batch_sizes, staffed_site
from stagewright.domain.builder import Workflow, approval, stage
from stagewright.entrypoints.bench.job import AGENTS, Parcel, parcel
from stagewright.ports.control import StartRequest
from stagewright.ports.workflow_store import Query

RING, RESTING = "ring", "resting"
EVENTS_PER_STEP = 2
MOST_VISITS = 10_000
LOG_LENGTHS = (10, 100, 1_000, 10_000, 100_000)
PAYLOADS_BYTES = (200, 1_000, 10_000, 60_000, 100_000, 1_000_000)
PARTITIONS = (1, 2, 4, 8, 16, 32)
AGENT_PROCESSES = (1, 2, 3, 4)
PAYLOAD_BUDGET_BYTES = 20_000_000
REACH_LIMIT_S = 900.0
SHORT_STRETCH = 100
"""Steps over which the cost at a log length is measured: at least so many."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One thing that grows: its name, its unit, and how its points are measured."""

    name: str
    grows: str
    points: Callable[[Limits], AsyncIterator[Point]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the sweeps go. `workflows` are run at once, `idle` one after the other."""

    live: int = 10_000
    events: int = 100_000
    workflows: int = 1_000
    idle: int = 30
    backends: tuple[str, ...] = ("redis", "sqlite")


@dataclass(frozen=True, slots=True)
class Point:
    """One point: the size `x` of what grows, and the figures there."""

    sweep: str
    backend: str
    x: int
    figures: Figures

    @classmethod
    def read(cls, row: Mapping[str, str]) -> Point:
        """Return the point that `row` made a row of."""
        figures = {name: float(row.get(name) or "nan") for name in Figures.__dataclass_fields__}
        return cls(row["sweep"], row["backend"], int(row["x"]), Figures(**figures))

    def row(self) -> dict[str, object]:
        """Return it as one row of a table."""
        figures = {name: round(value, 3) for name, value in asdict(self.figures).items()}
        return {"sweep": self.sweep, "backend": self.backend, "x": self.x, **figures}


async def at_once(limits: Limits) -> AsyncIterator[Point]:
    """More and more workflows in flight at the same time."""
    for backend in limits.backends:
        with backend_url(backend) as url:
            async with staffed_site(url) as site:
                for size in batch_sizes(limits.live):
                    figures = await site.figures(size, limits.idle)
                    yield Point("at_once", backend, size, figures)


async def standing(limits: Limits) -> AsyncIterator[Point]:
    """The same work while more and more other workflows are live and wait for a person."""
    for backend in limits.backends:
        with backend_url(backend) as url:
            async with staffed_site(url) as site:
                await site.register(resting())
                there = 0
                for size in batch_sizes(limits.live):
                    await site.start_many(size - there, RESTING, lambda number: {"n": number})
                    there = size
                    figures = await site.figures(limits.workflows, limits.idle)
                    yield Point("standing", backend, size, figures)


def resting() -> Workflow:
    """Return a definition whose workflows wait for an approval."""
    return Workflow(RESTING, approval("review", approvers=["editors"], timeout_s=30 * 86_400.0))


async def log_length(limits: Limits) -> AsyncIterator[Point]:
    """One workflow that goes round and round: the cost of a step as its log grows."""
    for backend in limits.backends:
        with backend_url(backend) as url:
            async with staffed_site(url) as site:
                await site.register(ring())
                walker = await site.control.commands.start(
                    StartRequest(definition=RING, input=parcel(0))
                )
                for events in LOG_LENGTHS:
                    if events <= limits.events:
                        figures = await _at_length(site, walker.workflow_id, events)
                        yield Point("log_length", backend, events, figures)


def ring() -> Workflow:
    """Return a definition whose last stage leads to its first; each may be visited often."""
    following = [*AGENTS[1:], AGENTS[0]]
    stages = [
        stage(
            agent.name,
            agent=agent,
            on={"ok": after.name, "failed": "complete"},
            max_visits=MOST_VISITS,
        )
        for agent, after in zip(AGENTS, following, strict=True)
    ]
    return Workflow(RING, *stages, input=Parcel)


async def _at_length(site: Site, workflow_id: str, events: int) -> Figures:
    """Wait until the log is that long; measure the next stretch, and one cold read of it all."""
    begin = await _reach(site, workflow_id, events // EVENTS_PER_STEP)
    with watched([os.getpid()]) as usage:
        end = await _reach(site, workflow_id, begin + max(SHORT_STRETCH, begin // 10))
    began = time.perf_counter()
    await site.store.load([workflow_id])
    cold_ms = (time.perf_counter() - began) * 1_000
    steps = end - begin
    return Figures(
        stages_per_s=steps / usage.seconds,
        cpu_us_per_stage=usage.cpu_s / steps * 1e6,
        p50_ms=usage.seconds / steps * 1_000,
        p99_ms=math.nan,
        foreign_cores=usage.foreign_cores,
        cold_ms=cold_ms,
    )


async def _reach(site: Site, workflow_id: str, step: int) -> int:
    """Wait until the workflow has taken that step; return the one it is at."""
    query, number = Query(text=workflow_id, limit=1), 0
    with anyio.fail_after(REACH_LIMIT_S):
        while number < step:
            await anyio.sleep(0.01)
            row = (await site.store.query(query)).rows[0]
            number = int(orjson.loads(row.snapshot)["step"])
    return number


async def payload_size(limits: Limits) -> AsyncIterator[Point]:
    """Bigger and bigger inputs and outputs; above 64 KiB they travel as references."""
    for backend in limits.backends:
        with backend_url(backend) as url:
            async with staffed_site(url) as site:
                for size in PAYLOADS_BYTES:
                    workflows = min(limits.workflows, max(8, PAYLOAD_BUDGET_BYTES // size))
                    idle = min(limits.idle, workflows)
                    figures = await site.figures(workflows, idle, of(size))
                    yield Point("payload_bytes", backend, size, figures)


def of(size: int) -> Callable[[int], object]:
    """Return what makes inputs of about `size` bytes."""
    ballast = "x" * max(0, size - 60)
    return lambda number: {**parcel(number), "ballast": ballast}


async def partitions(limits: Limits) -> AsyncIterator[Point]:
    """The same work spread over more and more partitions."""
    for count in PARTITIONS:
        with backend_url("redis") as url:
            async with staffed_site(url, partitions=count) as site:
                figures = await site.figures(limits.workflows, limits.idle)
                yield Point("partitions", "redis", count, figures)


async def agent_processes(limits: Limits) -> AsyncIterator[Point]:
    """The same work by more and more agent processes."""
    for count in AGENT_PROCESSES:
        with backend_url("redis") as url:
            async with staffed_site(url, agent_processes=count) as site:
                figures = await site.figures(limits.workflows, limits.idle)
                yield Point("agent_processes", "redis", count, figures)


SWEEPS = (
    Sweep("at_once", "workflows in flight at once", at_once),
    Sweep("standing", "other live workflows", standing),
    Sweep("log_length", "events in the workflow's log", log_length),
    Sweep("payload_bytes", "bytes of input and output", payload_size),
    Sweep("partitions", "partitions", partitions),
    Sweep("agent_processes", "agent processes", agent_processes),
)

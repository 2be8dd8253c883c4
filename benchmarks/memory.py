"""Many workflows at rest: what they weigh, and how an orchestrator comes back to them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from redis import Redis

from benchmarks.growth import RESTING, resting
from benchmarks.install import ROOT
from benchmarks.machine import cpu_s
from benchmarks.processes import Process
from benchmarks.site import Site
from stagewright.application.live import LiveWorkflows
from stagewright.application.reconciler import Reconciler
from stagewright.domain.builder import Workflow, wait
from stagewright.entrypoints.bench.measure import peak_rss_bytes
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.settings import ENV_PREFIX, Settings
from stagewright.ports.workflow_store import Query
from stagewright.testing.servers import RedisServer

MIB = 2**20
ALARM = "alarm"
ALARMS = 16
"""Timers that are due when an orchestrator starts: it works once all have fired."""
RECONCILES_AFTER_S = 30.0
READY_S = 60.0
SLOW_US = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured. `goal` is the most it should be, None where there is none."""

    name: str
    value: float
    unit: str
    goal: float | None = None


async def measure(waiting: int, logs: Path) -> list[Figure]:
    """Put `waiting` workflows to rest on a Redis of their own; return all figures."""
    with RedisServer(appendonly="everysec") as server:
        async with opened(Settings(url=server.url)) as container:
            return await _Rest(container, server, logs).measure(waiting)


class _Rest:
    def __init__(self, container: Container, server: RedisServer, logs: Path) -> None:
        self._container = container
        self._site = Site(container)
        self._url = server.url
        self._redis: Any = Redis.from_url(server.url)
        self._logs = logs

    async def measure(self, waiting: int) -> list[Figure]:
        await self._site.register(resting())
        await self._site.register(Workflow(ALARM, wait("ring", for_s=0.001)))
        empty = self._used()
        started = time.perf_counter()
        await self._site.start_many(waiting, RESTING, lambda number: {"number": number})
        took_s = time.perf_counter() - started
        used = self._used() - empty
        found = [
            Figure("workflows at rest", waiting, ""),
            Figure("starts by one client", waiting / took_s, "per s"),
            Figure("Redis memory", used / MIB, "MiB", 500),
            Figure("Redis memory, each", used / waiting, "bytes"),
        ]
        self._watch_server()
        found += await self._lives()
        found += await self._scans()
        return [*found, Figure("longest call at the server", self._slowest_ms(), "ms", 1_000)]

    async def _lives(self) -> list[Figure]:
        """Start an orchestrator, end it kindly, start, kill, start: how soon each works."""
        async with self._orchestrator("first start") as first:
            found = first.figures
            found += await self._settled(first.process)
        async with self._orchestrator("restart") as second:
            found += second.figures
            os.kill(second.process.pid, signal.SIGKILL)
        async with self._orchestrator("restart after a kill") as third:
            found += third.figures
        return found

    @asynccontextmanager
    async def _orchestrator(self, name: str) -> AsyncIterator[_Orchestrator]:
        """Start one in a process of its own, with timers that are due already."""
        await self._site.start_many(ALARMS, ALARM, lambda _: None)
        environment = {**os.environ, f"{ENV_PREFIX}URL": self._url}
        command = [sys.executable, "-m", "stagewright.entrypoints.bench.companion", "orchestrator"]
        began = time.perf_counter()
        log = self._logs / "orchestrator.log"
        process = Process(command, environment, log, folder=ROOT)
        try:
            await anyio.to_thread.run_sync(process.await_ready, 1, READY_S)
            ready_s = time.perf_counter() - began
            await self._alarms_off()
            works_s = time.perf_counter() - began
            yield _Orchestrator(
                process,
                [
                    Figure(f"{name}: ready", ready_s, "s", 10),
                    Figure(f"{name}: all due timers fired", works_s, "s", 10),
                ],
            )
        finally:
            await anyio.to_thread.run_sync(process.end)

    async def _alarms_off(self) -> None:
        query = Query(status="waiting", definition=ALARM, limit=1)
        with anyio.fail_after(READY_S):
            while (await self._site.store.query(query)).rows:  # noqa: ASYNC110 - an index
                await anyio.sleep(0.02)

    async def _settled(self, process: Process) -> list[Figure]:
        """Wait until it has looked at every workflow once; say what that took."""
        before = cpu_s([process.pid])
        await anyio.sleep(RECONCILES_AFTER_S)
        while (used := cpu_s([process.pid])) - before > 0.05:
            before = used
            await anyio.sleep(1.0)
        return [
            Figure("orchestrator memory, peak", peak_rss_bytes(process.pid) / MIB, "MiB", 300),
        ]

    async def _scans(self) -> list[Figure]:
        """Time what looks at many workflows: each list's first page, counts, reconciliation."""
        store, queries = self._site.store, self._site.control.queries
        looks: dict[str, Callable[[], Awaitable[object]]] = {
            "first page of a status": lambda: store.query(Query(status="waiting")),
            "a page of two filters that finds nothing": lambda: store.query(
                Query(definition=RESTING, label=("no", "such"))
            ),
            "a workflow by its number's beginning": lambda: store.query(Query(text="p00-0")),
            "counts by status": store.counts,
            "the overview of the system": queries.system,
        }
        found = [Figure(name, await _ms(look), "ms", 1_000) for name, look in looks.items()]
        backend = self._container.backend()
        lives = LiveWorkflows(backend.store, self._container.catalog())
        reconciler = Reconciler(backend, lives, self._container.clock())
        passes = [
            await _ms(lambda number=number: reconciler.reconcile(number))  # type: ignore[misc]
            for number in range(backend.partitions)
        ]
        found.append(Figure("reconciling one partition, longest", max(passes), "ms", 1_000))
        return [*found, Figure("reconciling all", sum(passes) / 1_000, "s")]

    def _used(self) -> int:
        return int(self._redis.info("memory")["used_memory"])

    def _watch_server(self) -> None:
        self._redis.config_set("slowlog-log-slower-than", SLOW_US)
        self._redis.config_set("slowlog-max-len", 10_000)
        self._redis.slowlog_reset()

    def _slowest_ms(self) -> float:
        """Return the longest that the server was busy with one call since it was watched."""
        slow = [int(entry["duration"]) for entry in self._redis.slowlog_get(10_000)]
        return max(slow, default=SLOW_US) / 1_000


@dataclass(frozen=True, slots=True)
class _Orchestrator:
    process: Process
    figures: list[Figure]


async def _ms(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1_000

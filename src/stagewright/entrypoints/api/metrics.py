"""Measurements for Prometheus: no workflow, process or letter is named, so their number is bounded.

Histograms come from what agents say of themselves with every sign of life: they fall when a
process ends, as counters do when it starts anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from stagewright.entrypoints.api.door import Door
from stagewright.ports.readiness import ReadyView
from stagewright.ports.views import AgentView, LaneView, SystemView

CONTENT_TYPE = CONTENT_TYPE_LATEST
FRESH_S = 1.0
LEVELS = ("full", "limited", "minimal", "offline")


class Metrics:
    """The newest measurements. Anybody may ask, so the store is asked once a second at most."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._known: tuple[float, bytes] | None = None

    async def text(self, door: Door) -> bytes:
        """Return all measurements as text, at most a second old."""
        async with self._asking:
            now_s = time.monotonic()
            if self._known is None or now_s - self._known[0] >= FRESH_S:
                ready = await door.readiness.look()
                self._known = now_s, exposition(await door.queries.system(), ready)
            return self._known[1]


def exposition(view: SystemView, ready: ReadyView) -> bytes:
    """Return all measurements as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(view, ready))
    return generate_latest(registry)


class _Collected:
    def __init__(self, view: SystemView, ready: ReadyView) -> None:
        self._view, self._ready = view, ready

    def collect(self) -> Iterator[Metric]:
        """Yield what is measured."""
        view = self._view
        yield _plain("ready", "Whether work gets on in this process.", int(self._ready.ready))
        level = _family("level", "1 for the level that the whole is on.", "level")
        for name in LEVELS:
            level.add_metric([name], int(name == view.level))
        yield level
        counts = _family("workflows", "Workflows by status.", "status")
        for status, count in sorted(view.counts.items()):
            counts.add_metric([status], count)
        yield counts
        yield _plain("partitions", "Partitions of the namespace.", view.partitions)
        yield _plain("partitions_owned", "Partitions with an orchestrator.", len(view.owners))
        yield _plain("orchestrators", "Orchestrators alive.", len(view.orchestrators))
        yield _plain("losses", "Losses that were noticed in the store.", len(view.losses))
        yield from _lanes(view)
        yield from _agents(view.agents)


def _lanes(view: SystemView) -> Iterator[Metric]:
    queued = _family("lane_queued_tasks", "Tasks that wait in a lane.", "lane", "priority")
    age = _family("lane_oldest_age_seconds", "Since when the oldest waits.", "lane", "priority")
    served = _family("lane_live_processes", "Live processes that serve a lane.", "lane")
    for lane in view.lanes:
        place = [lane.lane, str(lane.priority)]
        queued.add_metric(place, lane.queued)
        age.add_metric(place, _age_s(lane, view.at_ms))
    for name, live in {lane.lane: lane.live_agents for lane in view.lanes}.items():
        served.add_metric([name], live)
    yield from (queued, age, served)


def _age_s(lane: LaneView, now_ms: int) -> float:
    return 0.0 if lane.oldest_at_ms is None else max(0, now_ms - lane.oldest_at_ms) / 1_000


def _agents(processes: Sequence[AgentView]) -> Iterator[Metric]:
    said: dict[str, list[Mapping[str, Any]]] = {}
    for process in processes:
        for name, facts in process.agents.items():
            said.setdefault(name, []).append(facts)
    live = _family("agent_processes", "Live processes that serve an agent.", "agent")
    running = _family("agent_running_tasks", "Tasks under way.", "agent")
    limit = _family("agent_slots", "Tasks that may be under way at once.", "agent")
    for name, facts in sorted(said.items()):
        live.add_metric([name], len(facts))
        running.add_metric([name], sum(int(each.get("running", 0)) for each in facts))
        limit.add_metric([name], sum(int(each.get("limit", 0)) for each in facts))
    yield from (live, running, limit)
    yield _histogram("agent_task_duration_seconds", "From claim to end.", "duration", said)
    yield _histogram("agent_task_queued_seconds", "From queue to claim.", "queued", said)


def _histogram(
    name: str, text: str, which: str, said: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Metric:
    """Add up the doubling buckets that processes sent: bucket b holds what is below 2**b ms."""
    family = HistogramMetricFamily(f"stagewright_{name}", text, labels=["agent"])
    for agent, facts in sorted(said.items()):
        each = [one.get(which) or {} for one in facts]
        counts = _added([one.get("buckets", ()) for one in each])
        total, buckets = 0, []
        for number, count in enumerate(counts):
            total += count
            buckets.append((f"{2**number / 1_000:g}", float(total)))
        buckets.append(("+Inf", float(total)))
        family.add_metric([agent], buckets, sum(one.get("sum_ms", 0) for one in each) / 1_000)
    return family


def _added(rows: Sequence[Sequence[int]]) -> list[int]:
    longest = max(map(len, rows), default=0)
    return [sum(row[at] for row in rows if at < len(row)) for at in range(longest)]


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"stagewright_{name}", text, labels=labels)


def _plain(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stagewright_{name}", text, value=value)

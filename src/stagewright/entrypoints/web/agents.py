"""Agents: who serves them, how much they do, and what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.web.rendering import page
from stagewright.ports.views import AgentView, LaneView, SystemView

router = APIRouter(include_in_schema=False)


@dataclass(slots=True)
class Worker:
    """One process that serves an agent."""

    process: AgentView
    version: str
    running: int
    limit: int | None


@dataclass(slots=True)
class Agent:
    """One agent by name."""

    name: str
    workers: list[Worker] = field(default_factory=list)
    lanes: list[LaneView] = field(default_factory=list)

    @property
    def versions(self) -> Sequence[str]:
        """Versions that are served."""
        return sorted({worker.version for worker in self.workers if worker.version})

    @property
    def running(self) -> int:
        """Tasks under way."""
        return sum(worker.running for worker in self.workers)

    @property
    def limit(self) -> int:
        """Tasks that could be under way at once."""
        return sum(worker.limit or 0 for worker in self.workers)

    @property
    def queued(self) -> int:
        """Tasks that wait."""
        return sum(lane.queued for lane in self.lanes)

    @property
    def oldest_at_ms(self) -> int | None:
        """Since when the oldest waits."""
        return min((lane.oldest_at_ms for lane in self.lanes if lane.oldest_at_ms), default=None)

    @property
    def unserved(self) -> bool:
        """Whether work waits in a lane that no live process claims from."""
        return any(lane.queued and not lane.live_agents for lane in self.lanes)


def agents_of(system: SystemView) -> list[Agent]:
    """Return agents that are served or waited for; those that nobody serves first."""
    found: dict[str, Agent] = {}
    for process in system.agents:
        for name, served in process.agents.items():
            found.setdefault(name, Agent(name)).workers.append(_worker(process, served))
    for lane in system.lanes:
        name = lane.lane.partition("@")[0]
        found.setdefault(name, Agent(name)).lanes.append(lane)
    return sorted(found.values(), key=lambda agent: (not agent.unserved, agent.name))


def _worker(process: AgentView, served: Any) -> Worker:
    told = served if isinstance(served, dict) else {}
    running, limit = told.get("running", 0), told.get("limit")
    return Worker(
        process,
        str(told.get("version", "")),
        running if isinstance(running, int) else 0,
        limit if isinstance(limit, int) else None,
    )


@dataclass(frozen=True, slots=True)
class Process:
    """One process with the names of all agents that it serves."""

    view: AgentView
    names: Sequence[str]
    running: int


def processes_of(system: SystemView) -> list[Process]:
    """Return all live processes, those that started first at the top."""
    found = [
        Process(
            view,
            sorted(view.agents),
            sum(_worker(view, served).running for served in view.agents.values()),
        )
        for view in system.agents
    ]
    return sorted(found, key=lambda process: process.view.started_at_ms)


@router.get("/agents", dependencies=[needs(Scope.READ)])
async def agents(request: Request, door: TheDoor) -> Response:
    """Return the page."""
    system = await door.queries.system()
    context = {
        "title": "Agents",
        "nav": "agents",
        "live": "/api/v1/events",
        "agents": agents_of(system),
        "processes": processes_of(system),
        "silent": [one for one in system.silent if one.kind == "agent process"],
    }
    return page(request, "agents.html", context)

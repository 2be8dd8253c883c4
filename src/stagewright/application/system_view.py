"""The health of the whole: ports, partitions, lanes, and who is alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stagewright.application.explain import live_agents
from stagewright.application.ownership import PRESENT, owners
from stagewright.application.signs import AGENTS, signs_of_life, silent_views
from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.ports.health import PortHealth
from stagewright.ports.system import IClock
from stagewright.ports.views import (
    AgentView,
    LaneView,
    OrchestratorView,
    PortView,
    SystemView,
)


async def system_view(backend: Backend, clock: IClock) -> SystemView:
    """Return health, counts, agents and lanes. Answers also when the backend does not."""
    ports = {
        "store": await _asked(backend.store),
        "bus": await _asked(backend.bus),
        "kv": await _asked(backend.kv),
    }
    if not all(health.ok for health in ports.values()):
        return _offline(backend, ports, clock.now_ms())
    now_ms = clock.now_ms()
    orchestrators, silent = await signs_of_life(backend.kv, PRESENT, now_ms)
    workers, silent_workers = await signs_of_life(backend.kv, AGENTS, now_ms)
    owned = await owners(backend.kv, now_ms)
    agents = [AgentView(**sign) for sign in workers]
    lanes = await lane_views(backend, agents)
    level, reason = _level(ports, bool(orchestrators), owned, lanes, backend.partitions)
    losses = await backend.kv.scan("loss:", now_ms)
    return SystemView(
        level=level,
        reason=reason,
        backend=backend.url,
        durability=ports["store"].durability,
        partitions=backend.partitions,
        owners=owned,
        ports=_port_views(ports),
        counts=dict(await backend.store.counts()),
        agents=agents,
        lanes=lanes,
        losses=[body.decode() for _, body in sorted(losses.items())],
        concerns=list(ports["store"].concerns),
        orchestrators=[OrchestratorView(**sign) for sign in orchestrators],
        silent=silent_views("orchestrator", silent) + silent_views("agent process", silent_workers),
        at_ms=now_ms,
    )


def _offline(backend: Backend, ports: Mapping[str, PortHealth], now_ms: int) -> SystemView:
    broken = next(name for name, health in ports.items() if not health.ok)
    return SystemView(
        level="offline",
        reason=f"{broken} does not answer: {ports[broken].detail}",
        backend=backend.url,
        durability=ports["store"].durability,
        partitions=backend.partitions,
        owners={},
        ports=_port_views(ports),
        counts={},
        agents=[],
        lanes=[],
        at_ms=now_ms,
    )


async def lane_views(backend: Backend, agents: Sequence[AgentView]) -> list[LaneView]:
    """Return every lane with queued tasks."""
    return [
        LaneView(
            lane=depth.lane,
            priority=depth.priority,
            queued=depth.queued,
            oldest_at_ms=depth.oldest_at_ms,
            live_agents=live_agents(agents, depth.lane),
        )
        for depth in await backend.tasks.depths()
    ]


Level = Literal["full", "limited", "minimal", "offline"]


def _level(
    ports: Mapping[str, PortHealth],
    orchestrated: bool,  # noqa: FBT001 - a fact among facts
    owned: Mapping[int, str],
    lanes: Sequence[LaneView],
    partitions: int,
) -> tuple[Level, str]:
    """full: all moves. limited: some work waits. minimal: all can be seen, nothing moves."""
    refusing = next((health.refusing for health in ports.values() if health.refusing), "")
    if refusing:
        return "minimal", f"all can be read, but nothing is accepted: {refusing}"
    if not orchestrated:
        return "minimal", "commands are accepted, but no orchestrator is alive"
    free = [p for p in range(partitions) if p not in owned]
    if free:
        return "limited", f"partitions without an owner: {', '.join(map(str, free))}"
    unserved = sorted({lane.lane for lane in lanes if not lane.live_agents})
    if unserved:
        return "limited", f"no live agent for {', '.join(unserved)}"
    return "full", "everything moves"


async def _asked(port: Any) -> PortHealth:
    try:
        health: PortHealth = await port.health()
    except StagewrightError as error:
        return PortHealth(ok=False, durability="none", detail=str(error))
    return health


def _port_views(ports: Mapping[str, PortHealth]) -> list[PortView]:
    return [
        PortView(
            port=name,
            ok=health.ok,
            durability=health.durability,
            detail=health.detail,
            refusing=health.refusing,
        )
        for name, health in ports.items()
    ]

"""Queries: what is, for people and programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal

import orjson
import structlog

from stagewright.application.catalog import Catalog
from stagewright.application.explain import Scene, explain, live_agents
from stagewright.application.live import Live, load_one
from stagewright.application.ownership import PRESENT, owners
from stagewright.application.signs import AGENTS, signs_of_life, silent_views
from stagewright.domain.effects import waiting_kinds
from stagewright.domain.errors import NotFound, StagewrightError, WorkflowNotFound
from stagewright.domain.ids import partition_of
from stagewright.domain.progress import progress
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.domain.workflow import INPUT_KEY, Ending, StageRecord, Status, WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.health import PortHealth
from stagewright.ports.message_bus import Topic
from stagewright.ports.system import IClock
from stagewright.ports.views import (
    AgentView,
    DefinitionView,
    LaneView,
    LogPage,
    OrchestratorView,
    PortView,
    StageView,
    SystemView,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)
from stagewright.ports.workflow_store import Query, Stored

log = structlog.get_logger(__name__)


class Queries:
    """Implements `IQueries` over a backend."""

    def __init__(self, backend: Backend, catalog: Catalog, clock: IClock) -> None:
        self._backend = backend
        self._catalog = catalog
        self._clock = clock

    async def show(self, workflow_id: str) -> WorkflowView:
        """Return a workflow with its stages, outputs and waiting reasons; NotFound."""
        live = await self._live(workflow_id)
        waiting = []
        if not live.state.status.terminal:
            waiting = explain(live.state, await self._scene(live))
        return _view(live).model_copy(update={"waiting": waiting})

    async def ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        """Return a workflow as soon as it has ended, or as it is after `wait_s`; NotFound.

        The step that ends it says so; should that be missed, the last look finds it.
        """
        if not await self._over(workflow_id):
            async with self._backend.bus.subscribe(Topic.ENDED, workflow_id) as ends:
                if not await self._over(workflow_id):
                    await self._first(anext(aiter(ends)), wait_s)
        return await self.show(workflow_id)

    async def _over(self, workflow_id: str) -> bool:
        return (await self._live(workflow_id)).state.status.terminal

    async def _first(self, word: Awaitable[object], wait_s: float) -> None:
        """Wait for a word, at most so long."""
        heard = asyncio.ensure_future(word)
        slept = asyncio.ensure_future(self._clock.sleep(wait_s))
        try:
            await asyncio.wait((heard, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            slept.cancel()

    async def _live(self, workflow_id: str) -> Live:
        live = await load_one(self._backend, self._catalog, workflow_id)
        if live is None:
            raise WorkflowNotFound(workflow_id)
        return live

    async def _scene(self, live: Live) -> Scene:
        (records,) = await self._backend.tasks.inspect([live.state.workflow_id])
        owned = await owners(self._backend.kv, self._clock.now_ms())
        return Scene(
            plan=live.compiled.plan,
            records={record.task_id: record for record in records},
            agents=await self._agents(),
            owner=owned.get(partition_of(live.state.workflow_id)),
            sole=self._backend.sole,
        )

    async def _agents(self) -> list[AgentView]:
        living, _ = await signs_of_life(self._backend.kv, AGENTS, self._clock.now_ms())
        return [AgentView(**sign) for sign in living]

    async def list(self, query: Query) -> WorkflowPage:
        """Return a page of workflows."""
        page = await self._backend.store.query(query)
        return WorkflowPage(rows=[await self._row(row) for row in page.rows], cursor=page.cursor)

    async def _row(self, stored: Stored) -> WorkflowRow:
        """Return a row; one that cannot be read says so and does not hide the others."""
        try:
            state = decode_state(stored.snapshot)
            compiled = await self._catalog.compiled(state.definition)
        except (NotFound, SnapshotUnreadable) as error:
            log.warning("row_unreadable", workflow_id=stored.workflow_id, error=str(error))
            return _unreadable(stored)
        return WorkflowRow(
            workflow_id=state.workflow_id,
            name=state.name,
            version=state.version,
            status=state.status.value,
            current_stage=state.current_stage,
            progress=progress(compiled.plan, state),
            priority=state.priority,
            key=state.key,
            labels=dict(state.labels),
            waiting=list(waiting_kinds(state)),
            created_at_ms=state.created_at_ms,
            updated_at_ms=state.updated_at_ms,
        )

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        """Return logged steps (or notes) after number `after`; NotFound."""
        await self._live(workflow_id)
        records = await self._backend.store.log(workflow_id, which, after, limit)
        more = after + len(records) if len(records) == limit else None
        return LogPage(records=[orjson.loads(body) for body in records], after=more)

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        """Return registered definitions, oldest version first."""
        views = []
        for entry in await self._backend.registry.list("definition"):
            if name is not None and entry.name != name:
                continue
            compiled = await self._catalog.compiled(entry.hash)
            views.append(
                DefinitionView(
                    name=entry.name,
                    version=entry.version,
                    hash=entry.hash,
                    registered_at_ms=entry.registered_at_ms,
                    retired=entry.retired,
                    contracts_checked=bool(compiled.plan.definition.contracts),
                )
            )
        return views

    async def definition(self, reference: str) -> dict[str, Any]:
        """Return a definition's JSON by `NAME`, `NAME@VERSION` or hash; NotFound."""
        compiled = await self._catalog.compiled(await self._catalog.resolve(reference))
        body: dict[str, Any] = orjson.loads(compiled.plan.definition.canonical())
        return body

    async def system(self) -> SystemView:
        """Return health, counts, agents and lanes. Answers also when the backend does not."""
        ports = {
            "store": await _asked(self._backend.store),
            "bus": await _asked(self._backend.bus),
            "kv": await _asked(self._backend.kv),
        }
        if not all(health.ok for health in ports.values()):
            return self._offline(ports)
        now_ms = self._clock.now_ms()
        orchestrators, silent = await signs_of_life(self._backend.kv, PRESENT, now_ms)
        workers, silent_workers = await signs_of_life(self._backend.kv, AGENTS, now_ms)
        owned = await owners(self._backend.kv, now_ms)
        agents = [AgentView(**sign) for sign in workers]
        lanes = [
            LaneView(
                lane=depth.lane,
                priority=depth.priority,
                queued=depth.queued,
                oldest_at_ms=depth.oldest_at_ms,
                live_agents=live_agents(agents, depth.lane),
            )
            for depth in await self._backend.tasks.depths()
        ]
        level, reason = _level(ports, bool(orchestrators), owned, lanes, self._backend.partitions)
        losses = await self._backend.kv.scan("loss:", now_ms)
        return SystemView(
            level=level,
            reason=reason,
            backend=self._backend.url,
            durability=ports["store"].durability,
            partitions=self._backend.partitions,
            owners=owned,
            ports=_port_views(ports),
            counts=dict(await self._backend.store.counts()),
            agents=agents,
            lanes=lanes,
            losses=[body.decode() for _, body in sorted(losses.items())],
            concerns=list(ports["store"].concerns),
            orchestrators=[OrchestratorView(**sign) for sign in orchestrators],
            silent=silent_views("orchestrator", silent)
            + silent_views("agent process", silent_workers),
            at_ms=now_ms,
        )

    def _offline(self, ports: Mapping[str, PortHealth]) -> SystemView:
        broken = next(name for name, health in ports.items() if not health.ok)
        return SystemView(
            level="offline",
            reason=f"{broken} does not answer: {ports[broken].detail}",
            backend=self._backend.url,
            durability=ports["store"].durability,
            partitions=self._backend.partitions,
            owners={},
            ports=_port_views(ports),
            counts={},
            agents=[],
            lanes=[],
            at_ms=self._clock.now_ms(),
        )


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


def _unreadable(stored: Stored) -> WorkflowRow:
    """What can be said of a workflow of a newer release, or whose definition is gone."""
    return WorkflowRow(
        workflow_id=stored.workflow_id,
        name="",
        version="",
        status="unreadable",
        current_stage=None,
        progress=0,
        priority=3,
        created_at_ms=0,
        updated_at_ms=0,
    )


def _view(live: Live) -> WorkflowView:
    state, ending = live.state, live.state.ending
    return WorkflowView(
        workflow_id=state.workflow_id,
        name=state.name,
        version=state.version,
        definition=state.definition,
        status=state.status.value,
        current_stage=state.current_stage,
        active_stages=list(state.active_stages),
        progress=progress(live.compiled.plan, state),
        priority=state.priority,
        key=state.key,
        labels=dict(state.labels),
        created_at_ms=state.created_at_ms,
        updated_at_ms=state.updated_at_ms,
        finished_at_ms=state.finished_at_ms,
        deadline_at_ms=state.deadline_at_ms,
        continues=state.continues,
        step=state.step,
        stages=[_stage(live, state, name) for name in live.compiled.plan.stages],
        stage_outputs={
            name: orjson.loads(live.outputs.raw(record.output))
            for name, record in sorted(state.stages.items())
            if record.output is not None
        },
        input=orjson.loads(live.outputs.raw(INPUT_KEY)),
        output=None if ending is None else orjson.loads(live.outputs.raw(ending.output)),
        reason=None if ending is None else _why(state.status, ending),
        failed_stage=None if ending is None else ending.stage,
        errors=[dict(error) for error in (ending.errors if ending is not None else ())],
    )


def _why(status: Status, ending: Ending) -> str | None:
    """A workflow that completed needs no reason; one that was cancelled, also whose it was."""
    if status is Status.COMPLETED:
        return None
    if status is not Status.CANCELLED:
        return ending.reason
    given = f": {ending.reason}" if ending.reason != status else ""
    return f"cancelled by {ending.by}{given}"


_UNTOUCHED = StageRecord()


def _stage(live: Live, state: WorkflowState, name: str) -> StageView:
    record = state.stages.get(name, _UNTOUCHED)
    stage = live.compiled.plan.stages[name].stage
    status: Literal["pending", "active", "ended"] = "pending"
    if name in state.awaiting:
        status = "active"
    elif record.outcome is not None:
        status = "ended"
    return StageView(
        name=name,
        kind=stage.kind,
        status=status,
        outcome=record.outcome,
        visit=record.visit,
        max_visits=stage.max_visits,
        attempt=record.attempt,
        started_at_ms=record.started_at_ms or None,
        ended_at_ms=record.ended_at_ms,
        output_key=record.output,
        errors=[dict(error) for error in record.errors],
    )

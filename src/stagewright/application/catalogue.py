"""What can be run, by whom, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.definition_views import form_of, graph_of
from stagewright.application.signs import AGENTS, signs_of_life
from stagewright.application.statistics import statistics_of
from stagewright.application.system_view import lane_views
from stagewright.domain.contracts import Contract
from stagewright.domain.diagram import mermaid
from stagewright.domain.errors import NotFound
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.catalogue import (
    SAMPLED,
    AgentDetail,
    ContractView,
    DefinitionDetail,
    Statistics,
)
from stagewright.ports.registry import Entry
from stagewright.ports.system import IClock
from stagewright.ports.views import AgentView, DefinitionView, LaneView
from stagewright.ports.workflow_store import Query, Stored

ENDED = ("completed", "failed", "cancelled")


class Catalogue:
    """Implements `ICatalogue` over a backend."""

    def __init__(self, backend: Backend, catalog: Catalog, clock: IClock) -> None:
        self._backend, self._catalog, self._clock = backend, catalog, clock

    async def described(self, reference: str) -> DefinitionDetail:
        """Return a definition by `NAME`, `NAME@VERSION` or hash, drawn; NotFound."""
        compiled = await self._catalog.compiled(await self._catalog.resolve(reference))
        definition = compiled.plan.definition
        return DefinitionDetail(
            name=definition.name,
            version=definition.version,
            hash=compiled.plan.hash,
            description=definition.description,
            body=orjson.loads(definition.canonical()),
            versions=await self._versions(definition.name),
            mermaid=mermaid(definition),
            graph=graph_of(definition),
            form=form_of(definition.input),
        )

    async def _versions(self, name: str) -> list[DefinitionView]:
        views = []
        for entry in await self._backend.registry.list("definition"):
            if entry.name == name:
                compiled = await self._catalog.compiled(entry.hash)
                checked = bool(compiled.plan.definition.contracts)
                views.append(definition_view(entry, contracts_checked=checked))
        return views

    async def statistics(self, name: str) -> Statistics:
        """Return how the newest finished workflows of a definition went; NotFound."""
        await self._catalog.resolve(name)
        query = Query(status=ENDED, definition=name, limit=SAMPLED)
        page = await self._backend.store.query(query)
        states = list(filter(None, map(_state, page.rows)))
        return statistics_of(name, states, whole=page.cursor is None)

    async def agents(self) -> Sequence[AgentDetail]:
        """Return every agent that has a contract, a live process or a task, by name."""
        processes, lanes = await self._alive()
        contracts = await self._contracts()
        names = {name for process in processes for name in process.agents}
        names |= {lane.lane.partition("@")[0] for lane in lanes} | set(contracts)
        return [
            self._agent(name, contracts.get(name, []), processes, lanes) for name in sorted(names)
        ]

    async def agent(self, name: str) -> AgentDetail:
        """Return one agent with the schemas of its contracts; NotFound."""
        found = {agent.name: agent for agent in await self.agents()}
        if name not in found:
            raise NotFound("agent", name, known=found)
        contracts = [await self._whole(contract) for contract in found[name].contracts]
        return found[name].model_copy(update={"contracts": contracts})

    async def _alive(self) -> tuple[list[AgentView], list[LaneView]]:
        living, _ = await signs_of_life(self._backend.kv, AGENTS, self._clock.now_ms())
        processes = [AgentView(**sign) for sign in living]
        return processes, await lane_views(self._backend, processes)

    async def _contracts(self) -> Mapping[str, list[ContractView]]:
        found: dict[str, list[ContractView]] = {}
        for entry in await self._backend.registry.list("contract"):
            view = ContractView(
                version=entry.version,
                hash=entry.hash,
                registered_at_ms=entry.registered_at_ms,
                retired=entry.retired,
            )
            found.setdefault(entry.name, []).append(view)
        return found

    async def _whole(self, view: ContractView) -> ContractView:
        body = await self._backend.registry.get("contract", view.hash)
        if body is None:
            return view
        contract = Contract.model_validate_json(body)
        update = {
            "description": contract.description,
            "input": contract.input,
            "output": contract.output,
            "outcomes": list(contract.outcomes),
        }
        return view.model_copy(update=update)

    def _agent(
        self,
        name: str,
        contracts: list[ContractView],
        processes: Sequence[AgentView],
        lanes: Sequence[LaneView],
    ) -> AgentDetail:
        serving = [process for process in processes if name in process.agents]
        mine = [lane for lane in lanes if lane.lane.partition("@")[0] == name]
        unserved = sorted({lane.lane for lane in mine if not lane.live_agents})
        return AgentDetail(
            name=name,
            contracts=contracts,
            processes=[_only(process, name) for process in serving],
            live=len(serving),
            running=sum(int(process.agents[name].get("running", 0)) for process in serving),
            queued=sum(lane.queued for lane in mine),
            oldest_at_ms=min((at for lane in mine if (at := lane.oldest_at_ms)), default=None),
            lanes=sorted({lane.lane for lane in mine}),
            unserved=unserved,
            reason=_reason(name, unserved, sole=self._backend.sole),
        )


def definition_view(entry: Entry, *, contracts_checked: bool) -> DefinitionView:
    """Return a registered version."""
    return DefinitionView(
        name=entry.name,
        version=entry.version,
        hash=entry.hash,
        registered_at_ms=entry.registered_at_ms,
        retired=entry.retired,
        contracts_checked=contracts_checked,
    )


def _state(stored: Stored) -> WorkflowState | None:
    try:
        return decode_state(stored.snapshot)
    except SnapshotUnreadable:
        return None  # of a newer release: the others tell enough


def _only(process: AgentView, name: str) -> AgentView:
    """Return what a process says of one agent."""
    return process.model_copy(update={"agents": {name: process.agents[name]}})


def _reason(name: str, unserved: Sequence[str], *, sole: bool) -> str:
    if not unserved:
        return ""
    run = "stagewright dev MODULE" if sole else f"stagewright agent run MODULE:{name}"
    return f"no live worker for {', '.join(unserved)}: run `{run}`"

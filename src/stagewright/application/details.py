"""Closer looks: the rounds of a stage, payloads, counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from stagewright.application.approvals import approvals
from stagewright.application.catalog import Catalog
from stagewright.application.live import Live, load_one
from stagewright.application.stage_history import History
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import AgentStage
from stagewright.domain.errors import NotFound, WorkflowNotFound
from stagewright.domain.events import decode_step
from stagewright.domain.outputs import stored_blob
from stagewright.ports.backend import Backend
from stagewright.ports.details import COUNTED, ApprovalPage, ApprovalQuery, Count, StageDetail
from stagewright.ports.workflow_store import Query

STEPS_READ = 10_000
PAGE = 1_000
PAGES_COUNTED = 100
"""A count ends here, however little was found: each page looks at 5,000 rows at most."""


class Details:
    """Implements `IDetails` over a backend."""

    def __init__(self, backend: Backend, catalog: Catalog) -> None:
        self._backend, self._catalog = backend, catalog

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage with its rounds, attempts, contract and notes; NotFound."""
        live = await self._live(workflow_id)
        plans = live.compiled.plan.stages
        if stage not in plans:
            raise NotFound("stage", stage, known=plans)
        found = plans[stage].stage
        history, complete = await self._history(live, stage)
        return StageDetail(
            workflow_id=workflow_id,
            name=stage,
            kind=found.kind,
            description=found.description,
            max_visits=found.max_visits,
            agent=found.agent if isinstance(found, AgentStage) else None,
            contract=await self._contract(live, stage),
            visits=history.visits(),
            notes=await self._notes(workflow_id, stage),
            complete=complete,
        )

    async def _history(self, live: Live, stage: str) -> tuple[History, bool]:
        history, after = History(live, stage), 0
        while after < min(live.state.step, STEPS_READ):
            page = await self._backend.store.log(live.state.workflow_id, "steps", after, PAGE)
            for body in page:
                history.add(decode_step(body))
            after += len(page)
            if len(page) < PAGE:
                break
        return history, after >= live.state.step

    async def _contract(self, live: Live, stage: str) -> dict[str, Any] | None:
        found = live.compiled.plan.stages[stage].stage
        if not isinstance(found, AgentStage):
            return None
        ref = live.compiled.plan.definition.contracts.get(found.agent.partition("@")[0])
        body = None if ref is None else await self._backend.registry.get("contract", ref.hash)
        if ref is None or body is None:
            return None
        contract = Contract.model_validate_json(body)
        return {**contract.model_dump(mode="json"), "hash": ref.hash}

    async def _notes(self, workflow_id: str, stage: str) -> list[dict[str, Any]]:
        notes = map(orjson.loads, await self._backend.store.log(workflow_id, "notes", 0, PAGE))
        return [note for note in notes if f"/{stage}/" in str(note.get("task", ""))]

    async def output(self, workflow_id: str, key: str) -> bytes:
        """Return a stored payload whole, as JSON; NotFound."""
        live = await self._live(workflow_id)
        outputs = live.outputs.all_raw()
        if key not in outputs:
            raise NotFound("payload", key, known=outputs)
        blob = stored_blob(outputs[key])
        if blob is None:
            return outputs[key]
        body = await self._backend.blobs.get(workflow_id, blob.hash)
        if body is None:
            raise NotFound("blob", blob.hash)
        return body

    async def count(self, query: Query, most: int = COUNTED) -> Count:
        """Return how many workflows fit the filters, exactly up to `most`."""
        if query == Query(status=query.status):
            counts = await self._backend.store.counts()
            fitting = query.statuses or tuple(counts)
            return Count(count=sum(counts.get(status, 0) for status in fitting), exact=True)
        query = replace(query, bare=True, limit=min(PAGE, most), cursor=None)
        found = 0
        for _ in range(PAGES_COUNTED):
            page = await self._backend.store.query(query)
            found += len(page.rows)
            if page.cursor is None or found > most:
                return Count(count=min(found, most), exact=found <= most)
            query = replace(query, cursor=page.cursor)
        return Count(count=found, exact=False)

    async def approvals(self, query: ApprovalQuery) -> ApprovalPage:
        """Return what waits for people."""
        return await approvals(self._backend, self._catalog, query)

    async def _live(self, workflow_id: str) -> Live:
        live = await load_one(self._backend, self._catalog, workflow_id)
        if live is None:
            raise WorkflowNotFound(workflow_id)
        return live

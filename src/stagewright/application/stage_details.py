"""What one stage is, what it was given, and the values that its visits left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.live import Live, load_one
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import AgentStage, Stage
from stagewright.domain.errors import NotFound, WorkflowNotFound
from stagewright.domain.inputs import stage_input
from stagewright.domain.outputs import OutputMissing, stored_blob
from stagewright.ports.backend import Backend
from stagewright.ports.stage_details import StageDetail


class StageDetails:
    """Implements `IStageDetails` over a backend."""

    def __init__(self, backend: Backend, catalog: Catalog) -> None:
        self._backend, self._catalog = backend, catalog

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage's detail; NotFound for an unknown workflow or stage."""
        live = await self._live(workflow_id)
        plans = live.compiled.plan.stages
        if stage not in plans:
            raise NotFound("stage", stage, known=plans)
        found = plans[stage].stage
        return StageDetail(
            name=stage,
            kind=found.kind,
            description=found.description,
            agent=found.agent if isinstance(found, AgentStage) else None,
            contract=await self._contract(live, found),
            input=await self._input(live, stage),
            definition=found.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        )

    async def values(self, workflow_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return stored values (JSON) by output key, big ones whole; unknown keys are left out."""
        live = await self._live(workflow_id)
        known = live.outputs.all_raw()
        return {key: await self._whole(workflow_id, known[key]) for key in keys if key in known}

    async def _live(self, workflow_id: str) -> Live:
        live = await load_one(self._backend, self._catalog, workflow_id)
        if live is None:
            raise WorkflowNotFound(workflow_id)
        return live

    async def _whole(self, workflow_id: str, raw: bytes) -> bytes:
        """Return the value that a stored form stands for; one whose blob is gone as it is."""
        blob = stored_blob(raw)
        if blob is None:
            return raw
        return await self._backend.blobs.get(workflow_id, blob.hash) or raw

    async def _contract(self, live: Live, stage: Stage) -> dict[str, Any] | None:
        if not isinstance(stage, AgentStage):
            return None
        reference = live.compiled.plan.definition.contracts.get(stage.agent.partition("@")[0])
        body = reference and await self._backend.registry.get("contract", reference.hash)
        return Contract.model_validate_json(body).model_dump(mode="json") if body else None

    async def _input(self, live: Live, stage: str) -> bytes | None:
        record = live.state.stages.get(stage)
        if record is None or not record.visit:
            return None
        template = live.compiled.plan.stages[stage].template
        for _ in range(len(live.outputs.all_raw()) + 1):
            try:
                given = stage_input(template, live.state, live.outputs, record.source)
            except OutputMissing as missing:
                body = await self._backend.blobs.get(live.state.workflow_id, missing.blob.hash)
                live.outputs.supply(missing.blob, body or orjson.dumps(None))
            else:
                return await self._whole(live.state.workflow_id, given)
        return None

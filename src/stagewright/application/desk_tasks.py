"""Tasks as they are given away over HTTP, and given again when an answer was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.runner_roster import lanes_of
from stagewright.application.stepper import FETCH_LIMIT_BYTES, new_task, supply
from stagewright.domain.envelope import BlobRef, blob_ref
from stagewright.domain.errors import NotFound
from stagewright.domain.ids import TaskId, workflow_of
from stagewright.domain.outputs import OutputMissing
from stagewright.domain.records import as_dict
from stagewright.domain.task_body import TaskBody
from stagewright.ports.agent_desk import LeasedTask
from stagewright.ports.backend import Backend
from stagewright.ports.task import ClaimedTask


def lanes_for(agent: str, version: str) -> tuple[str, ...]:
    """Return the lanes of `1`, `1.2`, `1.2.3` or any of them with `^` in front."""
    parts = version.removeprefix("^").split(".")
    return lanes_of(agent, ".".join([*parts, "0", "0"][:3]))


def leased_task(claimed: ClaimedTask, body: TaskBody, payloads: Mapping[str, Any]) -> LeasedTask:
    """Return a task as it travels; `payloads` are its input and feedback."""
    task = TaskId.parse(claimed.task_id)
    return LeasedTask(
        task=claimed.task_id,
        token=claimed.token,
        expires_at_ms=claimed.expires_at_ms,
        deadline_at_ms=claimed.deadline_at_ms,
        workflow_id=task.workflow_id,
        stage=task.stage,
        visit=task.visit,
        attempt=task.attempt,
        idempotency_key=f"{task.workflow_id}/{task.stage}/{task.visit}",
        lane=claimed.lane,
        priority=claimed.priority,
        queued_at_ms=claimed.queued_at_ms,
        lost=claimed.lost,
        definition=body.definition,
        contract=None if body.contract is None else as_dict(body.contract),
        traceparent=body.traceparent,
        feedback=payloads["feedback"],
        input=payloads["input"],
    )


class Bodies:
    """What tasks carry: fetched where it is big, and derived again where it was sent before."""

    def __init__(self, backend: Backend, catalog: Catalog) -> None:
        self._backend, self._catalog = backend, catalog

    async def value(self, task_id: str, blob: BlobRef) -> Any:
        """Return the JSON value of a big payload; NotFound."""
        body = await self._backend.blobs.get(workflow_of(task_id), blob.hash)
        if body is None or len(body) != blob.bytes:
            raise NotFound("payload", blob.hash, remedy="Put it for this task first.")
        return orjson.loads(body)

    async def inlined(self, task_id: str, body: TaskBody, most_bytes: int) -> dict[str, Any]:
        """Return `input` and `feedback` with payloads up to a size in place of references."""
        task = TaskId.parse(task_id)
        rounds: list[dict[str, Any]] = []
        for said in body.feedback:
            output = await self._payload(task_id, blob_ref(said.get("output")), most_bytes)
            rounds.append({**said, "output": said.get("output") if output is None else output})
        if body.repair:
            rounds.append(
                {
                    "stage": task.stage,
                    "visit": task.visit,
                    "outcome": "invalid",
                    "errors": [dict(problem) for problem in body.repair],
                    "output": None,
                }
            )
        given = orjson.loads(bytes(body.input))
        if body.blob is not None:
            given = await self._payload(task_id, body.blob, most_bytes)
            given = body.blob.to_json() if given is None else given
        return {"input": given, "feedback": rounds}

    async def _payload(self, task_id: str, blob: BlobRef | None, most_bytes: int) -> Any:
        """Return a payload; None when there is none, or when it is too big for an answer."""
        if blob is None or blob.bytes > min(most_bytes, FETCH_LIMIT_BYTES):
            return None
        return await self.value(task_id, blob)

    async def again(self, task_id: str, token: int, expires_at_ms: int) -> ClaimedTask | None:
        """Return a leased task as its claim returned it; None when nothing waits for it now."""
        task = TaskId.parse(task_id)
        lives = LiveWorkflows(self._backend.store, self._catalog)
        live = (await lives.get([task.workflow_id])).get(task.workflow_id)
        (records,) = await self._backend.tasks.inspect([task.workflow_id])
        record = next((r for r in records if r.task_id == task_id and r.token == token), None)
        if live is None or record is None or task_id not in live.flight.tasks:
            return None
        body = await self._derived(live, task_id)
        return ClaimedTask(
            task_id=task_id,
            token=token,
            lane=record.lane,
            priority=record.priority,
            body=body,
            queued_at_ms=record.queued_at_ms,
            expires_at_ms=expires_at_ms,
            deadline_at_ms=record.deadline_at_ms or expires_at_ms,
            lost=record.lost,
        )

    async def _derived(self, live: Live, task_id: str) -> bytes:
        """Return the body that the step which queued a task gave it."""
        wait = live.flight.tasks[task_id]
        while True:  # each round supplies another output, and there are only so many
            try:
                return new_task(live.compiled, live.state, live.outputs, task_id, wait).body
            except OutputMissing as missing:
                await supply(self._backend.blobs, workflow_of(task_id), live.outputs, missing)

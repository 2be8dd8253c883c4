"""Folds a workflow's log and holds it against its snapshot: the proof that nothing was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

from stagewright.domain.effects import in_flight
from stagewright.domain.errors import WorkflowNotFound
from stagewright.domain.events import StepRecord, decode_step
from stagewright.domain.evolve import apply_step
from stagewright.domain.snapshot import decode_state, encode_state
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.views import ReplayReport
from stagewright.ports.workflow_store import IWorkflowStore, Stored

PAGE = 1_000


async def steps(store: IWorkflowStore, workflow_id: str) -> AsyncIterator[StepRecord]:
    """Yield the logged steps of a workflow, oldest first."""
    after = 0
    while page := await store.log(workflow_id, "steps", after, PAGE):
        for body in page:
            yield decode_step(body)
        after += len(page)


async def replay_report(backend: Backend, workflow_id: str) -> ReplayReport:
    """Compare log and snapshot byte for byte, and what is in flight with what should be."""
    (stored,) = await backend.store.load([workflow_id])
    if not isinstance(stored, Stored):
        raise WorkflowNotFound(workflow_id)
    snapshot = decode_state(stored.snapshot)
    state: WorkflowState | None = None
    count, difference = 0, ""
    async for step in steps(backend.store, workflow_id):
        if step.n > snapshot.step:
            break  # it moved while we read
        count += 1
        if step.n != count and not difference:
            difference = f"step {step.n} stands at place {count}"
        try:
            state = apply_step(workflow_id, state, step)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # What was logged does not fit what was logged before it: the fold ends here.
            difference = f"step {step.n} cannot be applied: {type(error).__name__}: {error}"
            break
    folded = b"" if state is None else encode_state(state)
    if folded != stored.snapshot and not difference:
        difference = _first_difference(folded, stored.snapshot)
    return ReplayReport(
        workflow_id=workflow_id,
        steps=count,
        equal=not difference,
        difference=difference,
        missing=await _missing(backend, snapshot),
    )


def _first_difference(folded: bytes, snapshot: bytes) -> str:
    length = min(len(folded), len(snapshot))
    at = next((i for i in range(length) if folded[i] != snapshot[i]), length)
    near = slice(max(0, at - 40), at + 40)
    return f"byte {at}: log gives {folded[near]!r}, snapshot is {snapshot[near]!r}"


async def _missing(backend: Backend, state: WorkflowState) -> list[str]:
    (records,) = await backend.tasks.inspect([state.workflow_id])
    present = {record.task_id for record in records}
    return [id_ for id_ in in_flight(state).tasks if id_ not in present]

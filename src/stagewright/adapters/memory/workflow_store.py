"""The store of workflows in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Literal

from stagewright.adapters.memory import index, step
from stagewright.adapters.memory.state import Namespace
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.health import PortHealth
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import FEW_OUTPUTS, Page, Query, Referred, Stored, Tombstone


class MemoryWorkflowStore:
    """IWorkflowStore over the state of one process."""

    def __init__(self, state: Namespace, clock: IClock) -> None:
        self._state, self._clock = state, clock

    async def load(
        self, workflow_ids: Sequence[str], referred: Referred | None = None
    ) -> Sequence[Stored | Tombstone | None]:
        """Return workflows, tombstones or None."""
        return [self._load(workflow_id, referred) for workflow_id in workflow_ids]

    def _load(self, workflow_id: str, referred: Referred | None) -> Stored | Tombstone | None:
        if (found := self._state.workflows.get(workflow_id)) is not None:
            keys: Collection[str] = found.outputs
            if referred is not None and len(keys) > FEW_OUTPUTS:
                keys = [key for key in referred(found.snapshot) if key in found.outputs]
            outputs = {key: found.outputs[key] for key in keys}
            return Stored(workflow_id, found.step_id, found.snapshot, outputs)
        tombstone = self._state.tombstones.get(workflow_id)
        living = tombstone is not None and tombstone.expires_at_ms > self._clock.now_ms()
        return tombstone if living else None

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        """Apply each commit atomically and on its own."""
        verdicts = [step.apply(self._state, commit, now_ms) for commit in commits]
        self._state.tell_of_queued()
        return verdicts

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[bytes]:
        """Return step records, or the notes that are kept."""
        found = self._state.workflows.get(workflow_id)
        if found is None:
            return []
        records = found.log if which == "steps" else found.notes
        return list(islice(records, after, after + limit))

    async def query(self, query: Query) -> Page:
        """Return workflows by index."""
        found, cursor = index.page(self._state.index, query)
        if query.bare:
            return Page([Stored(id_, "", b"", {}) for id_ in found], cursor)
        workflows = self._state.workflows
        rows = [Stored(id_, workflows[id_].step_id, workflows[id_].snapshot, {}) for id_ in found]
        return Page(rows, cursor)

    async def counts(self) -> Mapping[str, int]:
        """Return the number of workflows by status."""
        return dict(+self._state.counts)

    async def forget(self, workflow_id: str, step_id: str, tombstone: Tombstone) -> bool:
        """Replace a workflow by its tombstone."""
        state = self._state
        workflow = state.workflows.get(workflow_id)
        if workflow is None or workflow.step_id != step_id:
            return False
        for task in workflow.tasks.values():
            state.withdraw(task)
            del state.tasks[task.task_id]
        for timer_id in workflow.timers:
            state.partition_of(workflow_id).timers.drop((workflow_id, timer_id))
        step.reindex(state, workflow_id, workflow, None)
        state.blobs.pop(workflow_id, None)
        del state.workflows[workflow_id]
        self._bury(tombstone)
        return True

    def _bury(self, tombstone: Tombstone) -> None:
        state = self._state
        state.tombstones[tombstone.workflow_id] = tombstone
        state.tombstone_ends.put(tombstone.workflow_id, tombstone.expires_at_ms)
        state.purge(state.tombstone_ends, self._clock.now_ms(), state.tombstones.pop)

    async def health(self) -> PortHealth:
        """Say that nothing outlives the process."""
        return PortHealth(ok=True, durability="none", detail="memory of this process")

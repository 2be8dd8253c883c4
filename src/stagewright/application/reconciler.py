"""Compares what waiting workflows should have in flight with what is, and re-emits what is missing.

Nothing is emitted blindly: the repair names the step it rests on, and a task whose record exists is
left as it is. A timer counts as missing when it should have fired a while ago.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import structlog

from stagewright.application.live import Live, LiveWorkflows
from stagewright.application.stepper import OutputTooBig, new_task, supply
from stagewright.domain.errors import StagewrightError
from stagewright.domain.outputs import OutputMissing
from stagewright.domain.snapshot import encode_state
from stagewright.domain.workflow import TaskWait
from stagewright.ports.agent_desk import HOLDER_PREFIX
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.system import IClock
from stagewright.ports.task import NewTask, TaskLease, TaskRecord
from stagewright.ports.workflow_store import Query

log = structlog.get_logger(__name__)

PAGE = 200
BUDGET = 1_000
"""Workflows of a partition that one look takes: with more, the next look goes on from there."""
ALIVE = ("running", "waiting", "paused")
QUIET_MS = 10_000
"""Workflows that moved within this time are left alone: their effects are still on the way."""


class Reconciler:
    """Repairs one partition at a time, a bounded number of workflows at each look."""

    def __init__(self, backend: Backend, lives: LiveWorkflows, clock: IClock) -> None:
        self._backend = backend
        self._lives = lives
        self._clock = clock
        self._rounds: dict[int, AsyncIterator[list[str]]] = {}
        """Rounds through partitions that are not over."""

    async def reconcile(self, partition: int, *, whole: bool = False) -> int:
        """Go on with the round through the partition's workflows that are not terminal.

        Return the repairs. A `whole` one begins anew and looks at all: something was lost.
        """
        if whole or partition not in self._rounds:
            self._rounds[partition] = self._alive(partition, self._clock.now_ms() - QUIET_MS)
        looked = repairs = 0
        try:
            async for ids in self._rounds[partition]:
                repairs += await self.repair(ids)
                looked += len(ids)
                if looked >= BUDGET and not whole:
                    return repairs
        except StagewrightError:
            self._rounds.pop(partition, None)  # the next look begins anew
            raise
        self._rounds.pop(partition, None)
        return repairs

    async def free_leases(self, partition: int) -> int:
        """Put back tasks leased here: their holders are known to be dead. Return how many.

        Who leased over HTTP lives elsewhere, and goes on. Workflows that wait for people or time
        alone have no tasks.
        """
        freed = 0
        async for ids in self._alive(partition, statuses=("running", "paused")):
            leases = [
                TaskLease(record.task_id, record.token)
                for records in await self._backend.tasks.inspect(ids)
                for record in records
                if record.state == "leased" and not _elsewhere(record)
            ]
            if leases:
                now_ms = self._clock.now_ms()
                await self._backend.tasks.release(leases, lost=True, now_ms=now_ms)
                freed += len(leases)
        return freed

    async def _alive(
        self,
        partition: int,
        updated_before_ms: int | None = None,
        statuses: Sequence[str] = ALIVE,
    ) -> AsyncIterator[list[str]]:
        """Yield the ids of workflows that are not terminal, page by page."""
        for status in statuses:
            cursor: str | None = None
            while True:
                page = await self._backend.store.query(
                    Query(
                        status=status,
                        partition=partition,
                        updated_before_ms=updated_before_ms,
                        oldest_first=True,
                        cursor=cursor,
                        limit=PAGE,
                    )
                )
                if page.rows:
                    yield [row.workflow_id for row in page.rows]
                cursor = page.cursor
                if cursor is None:
                    break

    async def repair(self, workflow_ids: list[str]) -> int:
        """Re-emit what these workflows should have in flight and do not; return how many."""
        if not workflow_ids:
            return 0
        for id_ in workflow_ids:
            self._lives.drop(id_)
        lives = await self._lives.get(workflow_ids)
        # After the states: a step between the two makes the repair a conflict, not a needless one.
        records = await self._backend.tasks.inspect(workflow_ids)
        present = {record.task_id for found in records for record in found}
        commits = [c for live in lives.values() if (c := await self._repair(live, present))]
        if not commits:
            return 0
        verdicts = await self._backend.store.commit(commits, self._clock.now_ms())
        repaired = [
            commit.workflow_id
            for commit, verdict in zip(commits, verdicts, strict=True)
            if verdict is Verdict.COMMITTED  # the others moved meanwhile: nothing was missing
        ]
        if repaired:
            log.warning("reconciled", workflows=len(repaired), ids=repaired[:10])
        return len(repaired)

    async def _repair(self, live: Live, present: set[str]) -> Commit | None:
        """Return the repair of one workflow, None when nothing is missing or it cannot be made."""
        state, wanted = live.state, live.flight
        missing = [id_ for id_ in wanted.tasks if id_ not in present]
        if not missing and not self._overdue(wanted.timers):
            return None
        try:
            tasks = [await self._task(live, id_, wanted.tasks[id_]) for id_ in missing]
        except OutputTooBig as error:
            log.warning("not_reconciled", workflow_id=state.workflow_id, error=str(error))
            return None
        return Commit(
            workflow_id=state.workflow_id,
            expected_step_id=state.step_id,
            step_id=state.step_id,
            snapshot=encode_state(state),
            new_tasks=tuple(tasks),
            timers=wanted.timers,  # set again, which changes nothing for those that are set
            suspended=state.paused is not None,
        )

    def _overdue(self, timers: Mapping[str, int]) -> bool:
        return any(at_ms < self._clock.now_ms() - QUIET_MS for at_ms in timers.values())

    async def _task(self, live: Live, task_id: str, wait: TaskWait) -> NewTask:
        while True:
            try:
                return new_task(live.compiled, live.state, live.outputs, task_id, wait)
            except OutputMissing as missing:
                await supply(self._backend.blobs, live.state.workflow_id, live.outputs, missing)


def _elsewhere(record: TaskRecord) -> bool:
    return (record.holder or "").startswith(HOLDER_PREFIX)

"""The queue of tasks in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stagewright.adapters.sqlite import inspection
from stagewright.adapters.sqlite.claims import Claims
from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.deliveries import Delivery, deliver
from stagewright.adapters.sqlite.step import Steps
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.domain import ids
from stagewright.ports.commit import Commit
from stagewright.ports.task import ClaimedTask, TaskLease, TaskRecord
from stagewright.ports.task_queue import Advanced, Claim, Completed, Completion, LaneDepth


class SqliteTaskQueue:
    """ITaskQueue over one file.

    Claims and extensions do not wait for the disk: should the machine fail, the tasks are queued
    again and their agents are gone with it. Every result waits, and what came before it with it.
    """

    def __init__(self, core: Core) -> None:
        self._core, self._hints, self._run = core, core.hints, core.writer.run
        self._claims = Claims(core.namespace.partitions, core.hints)
        self._steps = Steps(core.hints, core.feed)

    async def claim(self, claim: Claim, now_ms: int) -> Sequence[ClaimedTask]:
        """Lease up to the wanted number of tasks."""
        return await self._run(
            lambda transaction: self._claims.take(transaction, claim, now_ms), lasting=False
        )

    async def extend(
        self, leases: Sequence[TaskLease], lease_s: float, now_ms: int
    ) -> Sequence[int | None]:
        """Renew leases, never beyond the task's deadline."""
        until_ms = now_ms + round(lease_s * 1000)
        return await self._run(
            lambda transaction: [
                self._extend(transaction, lease, until_ms, now_ms) for lease in leases
            ],
            lasting=False,
        )

    def _extend(
        self, transaction: Transaction, lease: TaskLease, until_ms: int, now_ms: int
    ) -> int | None:
        row = transaction.row("extend_lease", (lease.task_id, lease.token, until_ms, now_ms))
        if row is None:
            return None
        expires_at_ms, partition = row
        transaction.after_commit(self._hints.falls_due, partition, expires_at_ms)
        return int(expires_at_ms)

    async def complete(
        self, completions: Sequence[Completion], claim: Claim | None, now_ms: int
    ) -> Completed:
        """Prove the tokens, publish the results, end the leases; then claim."""

        def work(transaction: Transaction) -> Completed:
            accepted = self._finish(transaction, completions)
            return Completed(
                accepted, self._claims.take(transaction, claim, now_ms) if claim else []
            )

        return await self._run(work)

    async def advance(self, commits: Sequence[Commit], claim: Claim, now_ms: int) -> Advanced:
        """Commit steps, then claim, in one transaction."""

        def work(transaction: Transaction) -> Advanced:
            lease = partial(self._claims.take, transaction, claim, now_ms)
            return self._steps.apply(transaction, commits, now_ms, lease)

        return await self._run(work)

    def _finish(
        self, transaction: Transaction, completions: Sequence[Completion]
    ) -> Sequence[bool]:
        accepted: list[bool] = []
        results: list[Delivery] = []
        for completion in completions:
            lease = (completion.task_id, completion.token)
            finished = transaction.change("finish_task", lease) > 0
            if finished:
                workflow_id = ids.workflow_of(completion.task_id)
                results.append(Delivery(workflow_id, workflow_id, completion.result, *lease))
            accepted.append(finished or transaction.row("select_finished", lease) is not None)
        deliver(transaction, self._hints, results)
        return accepted

    async def release(self, leases: Sequence[TaskLease], lost: bool, now_ms: int) -> Sequence[bool]:  # noqa: ARG002, FBT001
        """Put leased tasks back to the front of their lanes, which are in order of age."""

        def work(transaction: Transaction) -> Sequence[bool]:
            lanes: list[tuple[str, str]] = []
            released = [_release(transaction, lease, lanes, lost=lost) for lease in leases]
            transaction.after_commit(self._hints.lanes_grew, lanes)
            return released

        return await self._run(work)

    async def inspect(self, workflow_ids: Sequence[str]) -> Sequence[Sequence[TaskRecord]]:
        """Return the task records of each workflow."""
        return await self._core.reader.scan(
            lambda session: inspection.records(session, workflow_ids)
        )

    async def depths(self) -> Sequence[LaneDepth]:
        """Return every lane with queued tasks."""
        rows = await self._core.reader.scan(lambda session: session.rows("select_depths"))
        return [LaneDepth(*row) for row in rows]


def _release(
    transaction: Transaction, lease: TaskLease, lanes: list[tuple[str, str]], *, lost: bool
) -> bool:
    workflow_id = ids.workflow_of(lease.task_id)
    row = transaction.row("release_task", (lease.task_id, lease.token, workflow_id, lost))
    if row is None:
        return False
    state, lane = row
    if state == "queued":
        lanes.append((workflow_id, lane))
    return True

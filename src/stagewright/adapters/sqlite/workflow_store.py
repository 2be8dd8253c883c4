"""The store of workflows in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from stagewright.adapters.sqlite import index
from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.step import Steps
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.health import PortHealth
from stagewright.ports.workflow_store import FEW_OUTPUTS, Page, Query, Referred, Stored, Tombstone

_PURGED_AT_ONCE = 100
_FORGOTTEN = (
    "forget_outputs",
    "forget_tasks",
    "forget_timers",
    "forget_entry",
    "forget_blobs",
    "forget_trimmed_records",
    "forget_records",
)


class SqliteWorkflowStore:
    """IWorkflowStore over one file."""

    def __init__(self, core: Core) -> None:
        self._core, self._reader = core, core.reader
        self._steps = Steps(core.hints, core.feed)

    async def load(
        self, workflow_ids: Sequence[str], referred: Referred | None = None
    ) -> Sequence[Stored | Tombstone | None]:
        """Return workflows, tombstones or None."""
        return [self._load(workflow_id, referred) for workflow_id in workflow_ids]

    def _load(self, workflow_id: str, referred: Referred | None) -> Stored | Tombstone | None:
        if (found := self._reader.row("select_workflow", (workflow_id,))) is not None:
            step_id, snapshot = found
            outputs = self._outputs(workflow_id, snapshot, referred)
            return Stored(workflow_id, step_id, snapshot, outputs)
        values = (workflow_id, self._core.clock.now_ms())
        tombstone = self._reader.row("select_tombstone", values)
        return None if tombstone is None else Tombstone(*tombstone)

    def _outputs(
        self, workflow_id: str, snapshot: bytes, referred: Referred | None
    ) -> dict[str, bytes]:
        most = -1 if referred is None else FEW_OUTPUTS + 1
        rows = self._reader.rows("select_outputs", (workflow_id, most))
        if referred is not None and len(rows) == most:
            keys = orjson.dumps(list(referred(snapshot))).decode()
            rows = self._reader.rows("select_outputs_named", (workflow_id, keys))
        return dict(rows)

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        """Apply each commit atomically and on its own."""
        return await self._core.writer.run(
            lambda transaction: self._steps.apply(transaction, commits, now_ms).verdicts
        )

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[bytes]:
        """Return step records, or the notes that are kept."""
        statement = "select_steps" if which == "steps" else "select_notes"
        return [body for (body,) in self._reader.rows(statement, (workflow_id, after, limit))]

    async def query(self, query: Query) -> Page:
        """Return workflows by index."""
        return await self._reader.scan(lambda session: index.page(session, query))

    async def counts(self) -> Mapping[str, int]:
        """Return the number of workflows by status."""
        rows = await self._reader.scan(lambda session: session.rows("count_by_status"))
        return dict(rows)

    async def forget(self, workflow_id: str, step_id: str, tombstone: Tombstone) -> bool:
        """Replace a workflow by its tombstone; its entries on the feed stay their time."""
        now_ms = self._core.clock.now_ms()

        def work(transaction: Transaction) -> bool:
            if not transaction.change("forget_workflow", (workflow_id, step_id)):
                return False
            for statement in _FORGOTTEN:
                transaction.change(statement, (workflow_id,))
            transaction.change("purge_tombstones", (now_ms, _PURGED_AT_ONCE))
            transaction.change("insert_tombstone", _values(tombstone))
            return True

        return await self._core.writer.run(work)

    async def health(self) -> PortHealth:
        """Say whether the file answers, and how durable it is."""
        return await self._core.examine()


def _values(tombstone: Tombstone) -> tuple[str, str, str, int]:
    return (
        tombstone.workflow_id,
        tombstone.status,
        tombstone.body_hash,
        tombstone.expires_at_ms,
    )

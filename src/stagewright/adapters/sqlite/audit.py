"""The record of changes in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.sqlite.connection import Session
from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.ports.audit import (
    SCANNED,
    AuditEntry,
    AuditPage,
    AuditQuery,
    narrowest,
    oldest_id,
    page_of,
)

_BEHIND_ALL = "9" * 14
_SELECT = {
    "actor": "select_audit_by_actor",
    "action": "select_audit_by_action",
    "target": "select_audit_by_target",
}


class SqliteAudit:
    """IAudit over one file.

    An entry waits for no disk of its own: the change that it tells of does, and what a later
    transaction brings to the disk brings all earlier ones.
    """

    def __init__(self, core: Core, retention_s: float) -> None:
        self._core = core
        self._retention_ms = round(retention_s * 1000)

    async def put(self, entries: Sequence[AuditEntry], now_ms: int) -> None:
        """Write entries; some of those whose time is over go."""
        oldest = oldest_id(now_ms, self._retention_ms)

        def work(transaction: Transaction) -> None:
            transaction.change_many("put_audit", [_row(entry) for entry in entries])
            transaction.change("trim_audit", (oldest, 2 * len(entries)))

        await self._core.writer.run(work, lasting=False)

    async def list(self, query: AuditQuery, now_ms: int) -> AuditPage:
        """Return entries, newest first."""
        oldest = oldest_id(now_ms, self._retention_ms)
        index, value, combined = narrowest(query)
        wanted = SCANNED if combined else query.limit + 1
        given = (oldest, query.cursor or _BEHIND_ALL, wanted)

        def look(session: Session) -> list[bytes]:
            if index is None:
                rows = session.rows("select_audit", given)
            else:
                rows = session.rows(_SELECT[index], (*given, value))
            return [body for (body,) in rows]

        bodies = await self._core.reader.scan(look)
        return page_of(bodies, query, scanned=wanted)


def _row(entry: AuditEntry) -> tuple[str, str, str, str, bytes]:
    body = entry.model_dump_json().encode()
    return (entry.entry_id, entry.actor, entry.action, entry.target, body)

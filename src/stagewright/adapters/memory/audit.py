"""The record of changes in memory."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.memory.state import Namespace
from stagewright.ports.audit import AuditEntry, AuditPage, AuditQuery, fits, oldest_id


class MemoryAudit:
    """IAudit over the state of one process."""

    def __init__(self, state: Namespace, retention_s: float) -> None:
        self._entries = state.audit
        self._retention_ms = round(retention_s * 1000)

    async def put(self, entries: Sequence[AuditEntry], now_ms: int) -> None:
        """Write entries; those whose time is over go."""
        self._entries.update((entry.entry_id, entry) for entry in entries)
        oldest = oldest_id(now_ms, self._retention_ms)
        for id_ in [id_ for id_ in self._entries if id_ < oldest]:
            del self._entries[id_]

    async def list(self, query: AuditQuery, now_ms: int) -> AuditPage:
        """Return entries, newest first."""
        oldest = oldest_id(now_ms, self._retention_ms)
        found = [
            entry
            for id_, entry in sorted(self._entries.items(), reverse=True)
            if id_ >= oldest and (query.cursor is None or id_ < query.cursor) and fits(entry, query)
        ]
        page = found[: query.limit]
        return AuditPage(entries=page, cursor=page[-1].entry_id if len(found) > len(page) else None)

"""The record of changes on Redis."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.redis.shared import Shared
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


class RedisAudit:
    """IAudit in one hash and one sorted set, in a slot of their own."""

    def __init__(self, shared: Shared, retention_s: float) -> None:
        self._functions, self._keys = shared.functions, shared.keys.audit
        self._retention_ms = round(retention_s * 1000)

    async def put(self, entries: Sequence[AuditEntry], now_ms: int) -> None:
        """Write entries; some of those whose time is over go."""
        if not entries:
            return
        flat = (part for e in entries for part in (e.entry_id, e.model_dump_json().encode()))
        oldest = oldest_id(now_ms, self._retention_ms)
        await self._functions.call("put_audit", self._keys, (oldest, *flat))

    async def list(self, query: AuditQuery, now_ms: int) -> AuditPage:
        """Return entries, newest first."""
        index, value, combined = narrowest(query)
        wanted = SCANNED if combined else query.limit + 1
        group = "all" if index is None else f"{index} {value}"
        oldest = oldest_id(now_ms, self._retention_ms)
        given = (group, oldest, query.cursor or _BEHIND_ALL, wanted)
        bodies = await self._functions.call("list_audit", self._keys, given)
        return page_of(bodies, query, scanned=wanted)

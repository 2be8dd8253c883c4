"""Finished workflows go after their time and leave a tombstone."""

from __future__ import annotations

import structlog

from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import Query, Stored, Tombstone

log = structlog.get_logger(__name__)

PAGE = 100
_MS = 1_000


class Retention:
    """Forgets what is old enough, a page at a time."""

    def __init__(
        self, backend: Backend, clock: IClock, retention_s: float, tombstone_s: float
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._retention_s = retention_s
        self._tombstone_s = tombstone_s

    async def sweep(self, partition: int) -> int:
        """Forget the finished workflows of a partition whose time is over; return how many."""
        forgotten = 0
        for status in ("completed", "failed", "cancelled"):
            forgotten += await self._sweep(partition, status)
        if forgotten:
            log.info("forgotten", partition=partition, workflows=forgotten)
        return forgotten

    async def _sweep(self, partition: int, status: str) -> int:
        gone, cursor = 0, None
        now_ms = self._clock.now_ms()
        while True:  # a page may hold no rows and still have a cursor
            page = await self._backend.store.query(
                Query(
                    status=status,
                    partition=partition,
                    updated_before_ms=now_ms - round(self._retention_s * _MS),
                    oldest_first=True,
                    cursor=cursor,
                    limit=PAGE,
                )
            )
            for row in page.rows:
                gone += await self._forget(row, now_ms)
            cursor = page.cursor
            if cursor is None:
                return gone

    async def _forget(self, row: Stored, now_ms: int) -> bool:
        try:
            state = decode_state(row.snapshot)
        except SnapshotUnreadable as error:
            log.warning("not_forgotten", workflow_id=row.workflow_id, error=str(error))
            return False
        expires_at_ms = now_ms + round(self._tombstone_s * _MS)
        status, body_hash = state.status.value, state.body_hash
        tombstone = Tombstone(row.workflow_id, status, body_hash, expires_at_ms)
        return await self._backend.store.forget(row.workflow_id, row.step_id, tombstone)

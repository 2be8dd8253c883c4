"""Finished workflows go after their time and leave a tombstone."""

from __future__ import annotations

import structlog

from stagewright.domain.snapshot import decode_state
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import Query, Tombstone

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
            while (gone := await self._page(partition, status)) > 0:
                forgotten += gone
        if forgotten:
            log.info("forgotten", partition=partition, workflows=forgotten)
        return forgotten

    async def _page(self, partition: int, status: str) -> int:
        now_ms = self._clock.now_ms()
        page = await self._backend.store.query(
            Query(
                status=status,
                partition=partition,
                updated_before_ms=now_ms - round(self._retention_s * _MS),
                oldest_first=True,
                limit=PAGE,
            )
        )
        gone = 0
        for row in page.rows:
            state = decode_state(row.snapshot)
            tombstone = Tombstone(
                row.workflow_id,
                state.status.value,
                state.body_hash,
                now_ms + round(self._tombstone_s * _MS),
            )
            gone += await self._backend.store.forget(row.workflow_id, row.step_id, tombstone)
        return gone

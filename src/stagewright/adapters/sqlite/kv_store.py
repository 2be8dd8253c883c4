"""Small values with a life time, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping

from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.ports.health import PortHealth

SCAN_LIMIT = 10_000
_PURGED_AT_ONCE = 100


class SqliteKVStore:
    """IKVStore over one file."""

    def __init__(self, core: Core) -> None:
        self._core, self._run = core, core.writer.run

    async def get(self, key: str, now_ms: int) -> bytes | None:
        """Return the value, None when absent or expired."""
        row = self._core.reader.row("select_value", (key, now_ms))
        return row[0] if row else None

    async def set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        """Set a value."""
        await self._run(lambda transaction: _set(transaction, key, value, ttl_s, now_ms))

    async def delete(self, key: str) -> bool:
        """Delete a value; whether it was there."""
        return await self._run(lambda transaction: transaction.change("delete_value", (key,)) > 0)

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, ttl_s: float | None, now_ms: int
    ) -> bool:
        """Set the value when the present one equals `expected`."""

        def work(transaction: Transaction) -> bool:
            if _get(transaction, key, now_ms) != expected:
                return False
            _set(transaction, key, value, ttl_s, now_ms)
            return True

        return await self._run(work)

    async def increment(self, key: str, by: int, ttl_s: float | None, now_ms: int) -> int:
        """Add to an integer, renew its life time, return the new value."""

        def work(transaction: Transaction) -> int:
            value = int(_get(transaction, key, now_ms) or 0) + by
            _set(transaction, key, str(value).encode(), ttl_s, now_ms)
            return value

        return await self._run(work)

    async def scan(self, prefix: str, now_ms: int) -> Mapping[str, bytes]:
        """Return all living keys that start with `prefix`."""
        values = (prefix, now_ms, SCAN_LIMIT)
        rows = await self._core.reader.scan(lambda session: session.rows("scan_values", values))
        return dict(rows)

    async def health(self) -> PortHealth:
        """Say whether the file answers, and how durable it is."""
        return await self._core.health()


def _get(transaction: Transaction, key: str, now_ms: int) -> bytes | None:
    row = transaction.row("select_value", (key, now_ms))
    return row[0] if row else None


def _set(
    transaction: Transaction, key: str, value: bytes, ttl_s: float | None, now_ms: int
) -> None:
    transaction.change("purge_values", (now_ms, _PURGED_AT_ONCE))
    ends_at_ms = None if ttl_s is None else now_ms + round(ttl_s * 1000)
    transaction.change("set_value", (key, value, ends_at_ms))

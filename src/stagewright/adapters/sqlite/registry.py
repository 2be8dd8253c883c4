"""Definitions and contracts in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.sqlite.connection import Row
from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.ports.registry import Entry, Kind


class SqliteRegistry:
    """IRegistry over one file."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def put_if_absent(
        self, kind: Kind, name: str, version: str, hash_: str, body: bytes, now_ms: int
    ) -> Entry:
        """Register a version unless it is there; return the entry in force."""
        key = (kind, name, version)

        def work(transaction: Transaction) -> Entry:
            row = transaction.row("select_registered", key)
            if row is None:
                transaction.change("register", (*key, hash_, now_ms))
            elif _entry(row).hash != hash_:
                return _entry(row)
            else:
                transaction.change("set_retired", (*key, False))
            transaction.change("insert_body", (kind, hash_, body))
            (row,) = transaction.rows("select_registered", key)
            return _entry(row)

        return await self._core.writer.run(work)

    async def get(self, kind: Kind, hash_: str) -> bytes | None:
        """Return a body by content hash."""
        row = self._core.reader.row("select_body", (kind, hash_))
        return row[0] if row else None

    async def list(self, kind: Kind) -> Sequence[Entry]:
        """Return all entries, by name, then in the order of registration."""
        rows = await self._core.reader.scan(
            lambda session: session.rows("list_registered", (kind,))
        )
        return [_entry(row) for row in rows]

    async def retire(self, kind: Kind, name: str, version: str) -> bool:
        """Take a version out of service."""
        values = (kind, name, version, True)
        return await self._core.writer.run(
            lambda transaction: transaction.change("set_retired", values) > 0
        )


def _entry(row: Row) -> Entry:
    kind, name, version, hash_, registered_at_ms, retired = row
    return Entry(kind, name, version, hash_, registered_at_ms, bool(retired))

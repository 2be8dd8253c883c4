"""Big payloads in SQLite."""

from __future__ import annotations

import hashlib

from stagewright.adapters.sqlite.core import Core


class SqliteBlobStore:
    """IBlobStore over one file."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def put(self, workflow_id: str, body: bytes) -> str:
        """Store a body and return its SHA-256 (hex)."""
        hash_ = hashlib.sha256(body).hexdigest()
        await self._core.writer.run(
            lambda transaction: transaction.change("insert_blob", (workflow_id, hash_, body))
        )
        return hash_

    async def get(self, workflow_id: str, hash_: str) -> bytes | None:
        """Return a body, None when absent."""
        rows = await self._core.reader.scan(
            lambda session: session.rows("select_blob", (workflow_id, hash_))
        )
        return rows[0][0] if rows else None

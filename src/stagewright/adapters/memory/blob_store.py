"""Big payloads in memory."""

from __future__ import annotations

import hashlib

from stagewright.adapters.memory.state import Namespace


class MemoryBlobStore:
    """IBlobStore over the state of one process."""

    def __init__(self, state: Namespace) -> None:
        self._state = state

    async def put(self, workflow_id: str, body: bytes) -> str:
        """Store a body and return its SHA-256 (hex)."""
        hash_ = hashlib.sha256(body).hexdigest()
        self._state.blobs.setdefault(workflow_id, {})[hash_] = body
        return hash_

    async def get(self, workflow_id: str, hash_: str) -> bytes | None:
        """Return a body, None when absent."""
        return self._state.blobs.get(workflow_id, {}).get(hash_)

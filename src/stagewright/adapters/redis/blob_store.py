"""Big payloads on Redis."""

from __future__ import annotations

import hashlib

from stagewright.adapters.redis.shared import Shared


class RedisBlobStore:
    """IBlobStore: one hash per workflow, by content hash."""

    def __init__(self, shared: Shared) -> None:
        self._functions, self._keys = shared.functions, shared.keys

    async def put(self, workflow_id: str, body: bytes) -> str:
        """Store a body and return its SHA-256 (hex)."""
        hash_ = hashlib.sha256(body).hexdigest()
        key = self._keys.of(workflow_id).blobs(workflow_id)
        await self._functions.run([("HSETNX", key, hash_, body)])
        return hash_

    async def get(self, workflow_id: str, hash_: str) -> bytes | None:
        """Return a body, None when absent."""
        if not self._keys.knows(workflow_id):
            return None
        body: bytes | None
        key = self._keys.of(workflow_id).blobs(workflow_id)
        (body,) = await self._functions.run([("HGET", key, hash_)])
        return body

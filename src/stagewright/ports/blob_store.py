"""Payloads above 64 KiB, by content hash."""

from __future__ import annotations

from typing import Protocol


class IBlobStore(Protocol):
    """A blob belongs to one workflow and goes when the workflow is forgotten."""

    async def put(self, workflow_id: str, body: bytes) -> str:
        """Store a body and return its SHA-256 (hex); durable when this returns."""
        ...

    async def get(self, workflow_id: str, hash_: str) -> bytes | None:
        """Return a body, None when absent."""
        ...

"""Small values with a life time: presence, owners, counters. Never workflow state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stagewright.ports.health import PortHealth


class IKVStore(Protocol):
    """Keys are text, values bytes. A value whose time has come reads as absent."""

    async def get(self, key: str, now_ms: int) -> bytes | None:
        """Return the value, None when absent or expired."""
        ...

    async def set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        """Set a value; `ttl_s` None keeps it for ever."""
        ...

    async def delete(self, key: str) -> bool:
        """Delete a value; whether it was there."""
        ...

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, ttl_s: float | None, now_ms: int
    ) -> bool:
        """Set the value when the present one equals `expected` (None: absent or expired)."""
        ...

    async def increment(self, key: str, by: int, ttl_s: float | None, now_ms: int) -> int:
        """Add to an integer (absent counts 0), renew its life time, return the new value."""
        ...

    async def scan(self, prefix: str, now_ms: int) -> Mapping[str, bytes]:
        """Return all living keys that start with `prefix`, with their values; at most 10,000."""
        ...

    async def health(self) -> PortHealth:
        """Return whether the store answers."""
        ...

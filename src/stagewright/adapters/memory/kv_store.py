"""Small values with a life time, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from stagewright.adapters.memory.state import Namespace
from stagewright.ports.health import PortHealth

SCAN_LIMIT = 10_000


class MemoryKVStore:
    """IKVStore over the state of one process."""

    def __init__(self, state: Namespace) -> None:
        self._state = state

    async def get(self, key: str, now_ms: int) -> bytes | None:
        """Return the value, None when absent or expired."""
        return self._get(key, now_ms)

    def _get(self, key: str, now_ms: int) -> bytes | None:
        ends_at_ms = self._state.value_ends.ranks.get(key)
        expired = ends_at_ms is not None and ends_at_ms <= now_ms
        return None if expired else self._state.values.get(key)

    async def set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        """Set a value."""
        self._set(key, value, ttl_s, now_ms)

    def _set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        state = self._state
        state.purge(state.value_ends, now_ms, state.values.pop)
        state.values[key] = value
        if ttl_s is None:
            state.value_ends.drop(key)
        else:
            state.value_ends.put(key, now_ms + round(ttl_s * 1000))

    async def delete(self, key: str) -> bool:
        """Delete a value; whether it was there."""
        self._state.value_ends.drop(key)
        return self._state.values.pop(key, None) is not None

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, ttl_s: float | None, now_ms: int
    ) -> bool:
        """Set the value when the present one equals `expected`."""
        if self._get(key, now_ms) != expected:
            return False
        self._set(key, value, ttl_s, now_ms)
        return True

    async def increment(self, key: str, by: int, ttl_s: float | None, now_ms: int) -> int:
        """Add to an integer, renew its life time, return the new value."""
        value = int(self._get(key, now_ms) or 0) + by
        self._set(key, str(value).encode(), ttl_s, now_ms)
        return value

    async def scan(self, prefix: str, now_ms: int) -> Mapping[str, bytes]:
        """Return all living keys that start with `prefix`."""
        living = (
            (key, value)
            for key, value in self._state.values.items()
            if key.startswith(prefix) and self._get(key, now_ms) is not None
        )
        return dict(islice(living, SCAN_LIMIT))

    async def health(self) -> PortHealth:
        """Say that nothing outlives the process."""
        return PortHealth(ok=True, durability="none", detail="memory of this process")

"""Small values with a life time, on Redis."""

from __future__ import annotations

from collections.abc import Mapping

from stagewright.adapters.redis.connection import Argument
from stagewright.adapters.redis.shared import Shared
from stagewright.ports.health import PortHealth

SCAN_LIMIT = 10_000

_EXPIRY_BYTES = 8


class RedisKVStore:
    """IKVStore in one hash; a value stands behind its expiry, so that the caller's time decides."""

    def __init__(self, shared: Shared) -> None:
        self._functions, self._keys = shared.functions, shared.keys.values
        self._clock, self._health = shared.clock, shared.health

    async def get(self, key: str, now_ms: int) -> bytes | None:
        """Return the value, None when absent or expired."""
        packed: bytes | None
        (packed,) = await self._functions.run([("HGET", self._keys[0], key)])
        if packed is None:
            return None
        expires_at_ms = int.from_bytes(packed[:_EXPIRY_BYTES])
        if 0 < expires_at_ms <= now_ms:
            return None
        return packed[_EXPIRY_BYTES:]

    async def set(self, key: str, value: bytes, ttl_s: float | None, now_ms: int) -> None:
        """Set a value."""
        await self._functions.call("set_value", self._keys, (key, value, now_ms, _ms(ttl_s)))

    async def delete(self, key: str) -> bool:
        """Delete a value; whether it was there."""
        arguments = (key, self._clock.now_ms())
        return bool(await self._functions.call("delete_value", self._keys, arguments))

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, ttl_s: float | None, now_ms: int
    ) -> bool:
        """Set the value when the present one equals `expected`."""
        wanted: tuple[Argument, ...] = () if expected is None else (expected,)
        arguments = (key, value, now_ms, _ms(ttl_s), *wanted)
        return bool(await self._functions.call("compare_and_set", self._keys, arguments))

    async def increment(self, key: str, by: int, ttl_s: float | None, now_ms: int) -> int:
        """Add to an integer, renew its life time, return the new value."""
        arguments = (key, by, now_ms, _ms(ttl_s))
        return int(await self._functions.call("increment", self._keys, arguments))

    async def scan(self, prefix: str, now_ms: int) -> Mapping[str, bytes]:
        """Return all living keys that start with `prefix`."""
        arguments = (prefix, _end_of(prefix), now_ms, SCAN_LIMIT)
        flat = await self._functions.call("scan_values", self._keys, arguments)
        return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}

    async def health(self) -> PortHealth:
        """Return whether Redis answers."""
        return await self._health.check()


def _ms(ttl_s: float | None) -> Argument:
    return "" if ttl_s is None else round(ttl_s * 1000)


def _end_of(prefix: str) -> Argument:
    """Return the bound behind all keys with a prefix: 0xFF occurs nowhere in UTF-8."""
    return b"(" + prefix.encode() + b"\xff"

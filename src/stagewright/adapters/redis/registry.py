"""Definitions and contracts on Redis."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from stagewright.adapters.redis.shared import Shared
from stagewright.ports.registry import Entry, Kind


class RedisRegistry:
    """IRegistry: one hash of versions and one of bodies per kind, kept for ever."""

    def __init__(self, shared: Shared) -> None:
        self._functions, self._keys = shared.functions, shared.keys

    async def put_if_absent(
        self, kind: Kind, name: str, version: str, hash_: str, body: bytes, now_ms: int
    ) -> Entry:
        """Register a version unless it is there; return the entry in force."""
        arguments = (name, version, hash_, body, now_ms)
        packed = await self._functions.call("put_version", self._keys.registry(kind), arguments)
        return _entry(kind, name, version, packed)[1]

    async def get(self, kind: Kind, hash_: str) -> bytes | None:
        """Return a body by content hash."""
        body: bytes | None
        (body,) = await self._functions.run([("HGET", self._keys.registry(kind)[1], hash_)])
        return body

    async def list(self, kind: Kind) -> Sequence[Entry]:
        """Return all entries, by name, then in the order of registration."""
        (flat,) = await self._functions.run([("HGETALL", self._keys.registry(kind)[0])])
        found = [
            _entry(kind, name.decode(), version.decode(), packed)
            for field, packed in zip(flat[::2], flat[1::2], strict=True)
            for name, _, version in (field.partition(b"\t"),)
        ]
        return [entry for _, entry in sorted(found, key=lambda row: (row[1].name, row[0]))]

    async def retire(self, kind: Kind, name: str, version: str) -> bool:
        """Take a version out of service."""
        versions, _ = self._keys.registry(kind)
        return bool(await self._functions.call("retire_version", [versions], (name, version)))


def _entry(kind: Kind, name: str, version: str, packed: bytes) -> tuple[int, Entry]:
    held = orjson.loads(packed)
    entry = Entry(kind, name, version, held["hash"], int(held["at"]), held["retired"])
    return int(held["order"]), entry

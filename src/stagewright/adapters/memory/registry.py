"""Definitions and contracts in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stagewright.adapters.memory.state import Namespace
from stagewright.ports.registry import Entry, Kind


class MemoryRegistry:
    """IRegistry over the state of one process."""

    def __init__(self, state: Namespace) -> None:
        self._state = state

    async def put_if_absent(
        self, kind: Kind, name: str, version: str, hash_: str, body: bytes, now_ms: int
    ) -> Entry:
        """Register a version unless it is there; return the entry in force."""
        entries, key = self._state.entries, (kind, name, version)
        entry = entries.get(key) or Entry(kind, name, version, hash_, now_ms)
        if entry.hash == hash_:
            entries[key] = entry = replace(entry, retired=False)
            self._state.bodies.setdefault((kind, hash_), body)
        return entry

    async def get(self, kind: Kind, hash_: str) -> bytes | None:
        """Return a body by content hash."""
        return self._state.bodies.get((kind, hash_))

    async def list(self, kind: Kind) -> Sequence[Entry]:
        """Return all entries, by name, then in the order of registration."""
        entries = (entry for entry in self._state.entries.values() if entry.kind == kind)
        return sorted(entries, key=lambda entry: entry.name)

    async def retire(self, kind: Kind, name: str, version: str) -> bool:
        """Take a version out of service."""
        entry = self._state.entries.get((kind, name, version))
        if entry is None:
            return False
        self._state.entries[kind, name, version] = replace(entry, retired=True)
        return True

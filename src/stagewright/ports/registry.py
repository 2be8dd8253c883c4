"""Definitions, contracts and keys by name, version and content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["definition", "contract", "key"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered version."""

    kind: Kind
    name: str
    version: str
    hash: str
    registered_at_ms: int
    retired: bool = False


class IRegistry(Protocol):
    """Bodies are content-addressed and immutable; durable when `put_if_absent` returns."""

    async def put_if_absent(
        self, kind: Kind, name: str, version: str, hash_: str, body: bytes, now_ms: int
    ) -> Entry:
        """Register a version unless it is there; return the entry in force.

        An entry with another hash in the answer is a conflict: nothing was changed. The same
        version and hash again brings a retired one back.
        """
        ...

    async def get(self, kind: Kind, hash_: str) -> bytes | None:
        """Return a body by content hash, retired ones included."""
        ...

    async def list(self, kind: Kind) -> Sequence[Entry]:
        """Return all entries, by name, then in the order of registration."""
        ...

    async def retire(self, kind: Kind, name: str, version: str) -> bool:
        """Take a version out of service; its body stays for those who run on it.

        Durable when this returns, and seen by whoever lists after that.
        """
        ...

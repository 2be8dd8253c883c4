"""API keys: made, listed, revoked, and recognised.

A secret has 256 bits of chance, so nobody can try them out, and a slow hash would protect nothing:
SHA-256 is what is kept, and a look at the store opens no door.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from stagewright.domain.errors import LimitExceeded, NotFound
from stagewright.ports.keys import KeyRequest, KeyView, NewKey
from stagewright.ports.registry import Entry, IRegistry
from stagewright.ports.system import IClock, IIdentifiers

PREFIX = "sw_"
"""By it people and scanners know a key where they meet one."""
MOST_KEYS = 10_000
FRESH_S = 2.0
"""So long the list of keys is believed: what a revocation takes at most on other servers."""
_AGAIN_S = 0.25
"""So soon it is read again for a key that it lacks: strangers cause four reads a second at most."""
_SECRET_LENGTH = range(20, 201)


def fingerprint(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Keys:
    """Implements `IKeys` over the registry, and says whose a key is.

    Holds the list of keys, and the records of those that were used: never more than there are keys,
    however many strangers try.
    """

    def __init__(self, registry: IRegistry, clock: IClock, ids: IIdentifiers) -> None:
        self._registry, self._clock, self._ids = registry, clock, ids
        self._entries: dict[str, Entry] = {}
        self._records: dict[str, KeyView] = {}
        self._read_at_s: float | None = None
        self._reading = asyncio.Lock()

    async def create(self, request: KeyRequest) -> NewKey:
        """Make a key; durable before this returns."""
        count = len(await self._registry.list("key"))
        if count >= MOST_KEYS:
            raise LimitExceeded("The number of keys", found=count + 1, limit=MOST_KEYS)
        view, secret = self._view(request), PREFIX + self._ids.secret()
        body = view.model_dump_json(exclude={"revoked"}).encode()
        await self._registry.put_if_absent(
            "key", view.name, view.key_id, fingerprint(secret), body, view.created_at_ms
        )
        self._read_at_s = None
        return NewKey(**view.model_dump(), secret=secret)

    def _view(self, request: KeyRequest) -> KeyView:
        now_ms, life_s = self._clock.now_ms(), request.expires_s
        return KeyView(
            key_id=self._ids.short(),
            created_at_ms=now_ms,
            expires_at_ms=None if life_s is None else now_ms + round(life_s * 1000),
            **request.model_dump(exclude={"expires_s"}),
        )

    async def list(self) -> Sequence[KeyView]:
        """Return all keys, by name, then oldest first."""
        await self._read()
        return [await self._record(entry) for entry in self._entries.values()]

    async def revoke(self, key_id: str) -> KeyView:
        """Take a key out of service, for good."""
        entries = await self._registry.list("key")
        entry = next((one for one in entries if one.version == key_id), None)
        if entry is None:
            raise NotFound("key", key_id[:64], remedy="See `stagewright key list`.")
        await self._registry.retire("key", entry.name, entry.version)
        self._read_at_s = None
        return (await self._record(entry)).model_copy(update={"revoked": True})

    async def named(self, secret: str) -> KeyView | None:
        """Return the key with this secret while it is in force."""
        return await self.in_force(fingerprint(secret)) if _plausible(secret) else None

    async def in_force(self, hash_: str) -> KeyView | None:
        """Return the key with this fingerprint while it is neither revoked nor expired."""
        await self._believe(hash_)
        entry = self._entries.get(hash_)
        if entry is None or entry.retired:
            return None
        view = await self._record(entry)
        return None if view.expired(self._clock.now_ms()) else view

    async def any_in_force(self) -> bool:
        """Whether anybody could come in by a key."""
        await self._read()
        return any([await self.in_force(hash_) for hash_ in list(self._entries)])

    async def _believe(self, hash_: str) -> None:
        """Read the list of keys again unless it is fresh enough for this key."""
        known = FRESH_S if hash_ in self._entries else _AGAIN_S
        if not self._older_than(known):
            return
        async with self._reading:
            if self._older_than(known):
                await self._read()

    def _older_than(self, age_s: float) -> bool:
        return self._read_at_s is None or self._clock.monotonic_s() - self._read_at_s >= age_s

    async def _read(self) -> None:
        """Read the list; it counts as of the moment at which it was asked for."""
        asked_at_s = self._clock.monotonic_s()
        entries = {entry.hash: entry for entry in await self._registry.list("key")}
        self._records = {h: view for h, view in self._records.items() if h in entries}
        self._entries, self._read_at_s = entries, asked_at_s

    async def _record(self, entry: Entry) -> KeyView:
        view = self._records.get(entry.hash)
        if view is None:
            body = await self._registry.get("key", entry.hash)
            if body is None:
                raise NotFound("key", entry.version)
            view = self._records[entry.hash] = KeyView.model_validate_json(body)
        return view.model_copy(update={"revoked": True}) if entry.retired else view


def _plausible(secret: str) -> bool:
    return secret.startswith(PREFIX) and len(secret) in _SECRET_LENGTH


def shown(view: KeyView) -> dict[str, Any]:
    """Return what an audit tells of a key."""
    return view.model_dump(include={"key_id", "scopes", "agents", "groups", "expires_at_ms"})

"""Whose a credential is: a key, the owner's token, or a browser's session from one of them."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass

import orjson

from stagewright.application.keys import Keys, fingerprint
from stagewright.domain.errors import TooOften
from stagewright.ports.keys import KeyView
from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock, IIdentifiers

SESSION_S = 12 * 3_600.0
SESSIONS_A_MINUTE = 60
"""So many one key may open on one server: none fills the store with sessions."""
HELD = 10_000
"""Sessions, and tokens that are none, that a server remembers."""
FRESH_S = 2.0
"""So long: what it takes at most until a session that was ended elsewhere is over here."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser's session."""

    token: str
    """Kept by the browser alone; the store has its fingerprint."""
    holder: KeyView
    expires_at_ms: int
    opened_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    read_at_s: float
    key_hash: str = ""
    """Empty: there is no such session."""
    expires_at_ms: int = 0


class TokenGate:
    """Recognises the owner's token alone, which opens everything; an empty one opens nothing."""

    _owner_hash = ""

    def admit_owner(self, token: str) -> None:
        """Let in whoever holds this token, as `owner`."""
        self._owner_hash = fingerprint(token) if token else ""

    async def by_secret(self, secret: str) -> KeyView | None:
        """Return whose a token is."""
        return self._owner(fingerprint(secret))

    async def by_session(self, token: str) -> OpenSession | None:  # noqa: ARG002  # none is open
        """Return nothing."""
        return None

    def _owner(self, hash_: str) -> KeyView | None:
        if self._owner_hash and secrets.compare_digest(hash_, self._owner_hash):
            return OWNER
        return None


class Gate(TokenGate):
    """Recognises whoever comes by a key or a session, too.

    A session is a random token whose fingerprint lies in the key-value store, with the fingerprint
    of the key it came from: so it lives on any server of the namespace, ends when it is ended, and
    dies with its key.
    """

    def __init__(self, keys: Keys, kv: IKVStore, clock: IClock, ids: IIdentifiers) -> None:
        self.keys = keys
        self._kv, self._clock, self._ids = kv, clock, ids
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._minute, self._opened = -1, Counter[str]()

    async def by_secret(self, secret: str) -> KeyView | None:
        """Return whose a key or owner's token is."""
        return self._owner(fingerprint(secret)) or await self.keys.named(secret)

    async def by_session(self, token: str) -> OpenSession | None:
        """Return a session that is open, and whose key is in force."""
        known = await self._session(fingerprint(token))
        if known is None:
            return None
        holder = self._owner(known.key_hash) or await self.keys.in_force(known.key_hash)
        return None if holder is None else OpenSession(token, holder, known.expires_at_ms)

    async def sign_in(self, secret: str) -> OpenSession | None:
        """Open a session for whoever holds a key; it ends after 12 hours, or with the key.

        TooOften when this key opened very many within a minute.
        """
        holder = await self.by_secret(secret)
        if holder is None:
            return None
        self._count(holder.key_id)
        now_ms, token = self._clock.now_ms(), self._ids.secret()
        ends = (now_ms + round(SESSION_S * 1000), holder.expires_at_ms)
        until = min(end for end in ends if end is not None)
        value = orjson.dumps({"key": fingerprint(secret), "until": until})
        life_s = (until - now_ms) / 1000
        await self._kv.set(_place(fingerprint(token)), value, life_s, now_ms)
        return OpenSession(token, holder, until, now_ms)

    def _count(self, key_id: str) -> None:
        minute = int(self._clock.monotonic_s() / 60)
        if minute != self._minute:
            self._minute, self._opened = minute, Counter()
        self._opened[key_id] += 1
        if self._opened[key_id] > SESSIONS_A_MINUTE:
            raise TooOften(
                "The number of sessions that this key opened within a minute",
                found=self._opened[key_id],
                limit=SESSIONS_A_MINUTE,
                remedy="Use the session that is open, or send the key itself.",
            )

    async def sign_out(self, token: str) -> None:
        """End a session."""
        hash_ = fingerprint(token)
        await self._kv.delete(_place(hash_))
        self._known.pop(hash_, None)

    async def _session(self, hash_: str) -> _Known | None:
        known = self._known.get(hash_)
        if known is None or self._clock.monotonic_s() - known.read_at_s >= FRESH_S:
            known = await self._read(hash_)
        alive = known.key_hash and known.expires_at_ms > self._clock.now_ms()
        return known if alive else None

    async def _read(self, hash_: str) -> _Known:
        asked_at_s = self._clock.monotonic_s()
        value = await self._kv.get(_place(hash_), self._clock.now_ms())
        held = {} if value is None else orjson.loads(value)
        known = _Known(asked_at_s, held.get("key", ""), held.get("until", 0))
        self._known[hash_] = known
        self._known.move_to_end(hash_)
        while len(self._known) > HELD:
            self._known.popitem(last=False)
        return known


OWNER = KeyView(key_id="", name="owner", scopes=("admin",), created_at_ms=0)
"""Whoever holds the token of the owner's lock file: a process of the same user."""


def _place(hash_: str) -> str:
    return f"session:{hash_}"

"""What a new owner does first: drain what the one before left, carefully where that crashed before.

A mark says that a drain is under way. An owner that finds the mark of another knows that the drain
before did not end, and goes one by one, counting tries: what was tried three times by owners that
did not live to see the end of it has crashed them.
"""

from __future__ import annotations

from stagewright.ports.kv_store import IKVStore
from stagewright.ports.system import IClock

TRIES = 3
"""So many owners may try one message or timer. The next one holds its stage instead."""
HOLDS = 3
"""So many owners may try to hold it: one that dies meanwhile may have died of anything."""
MESSAGES = 4_096
"""A drain ends after so many: what comes later was never seen by the owner before."""
_DAY_S = 86_400.0


class Takeover:
    """The state of one partition's drain."""

    def __init__(self, kv: IKVStore, clock: IClock, partition: int) -> None:
        self._kv = kv
        self._clock = clock
        self.partition = partition
        self.careful = False
        self._left = MESSAGES
        self._counted: dict[str, int] = {}

    @property
    def _mark(self) -> str:
        return f"drain:{self.partition}"

    async def begin(self) -> None:
        """Leave the mark; careful when one was there."""
        now_ms = self._clock.now_ms()
        self.careful = await self._kv.get(self._mark, now_ms) is not None
        await self._kv.set(self._mark, b"1", _DAY_S, now_ms)

    async def tries(self, what: str) -> int:
        """Count a try, once for each owner: who reads it again lived through the try before."""
        if what not in self._counted:
            key = f"try:{self.partition}:{what}"
            now_ms = self._clock.now_ms()
            self._counted[what] = await self._kv.increment(key, 1, _DAY_S, now_ms)
        return self._counted[what]

    def over(self, messages: int, limit: int) -> bool:
        """Whether a batch of so many messages, of at most `limit`, was the last of the drain."""
        self._left -= messages
        return messages < limit or self._left <= 0

    async def end(self) -> None:
        """The drain came to its end."""
        await self._kv.delete(self._mark)

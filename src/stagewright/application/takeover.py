"""What a new owner does first: drain what the one before left, carefully where that crashed before.

A mark says that a drain is under way. An owner that finds the mark of another knows that the drain
before did not end, and goes message by message, counting tries: the third try finds the crasher.
"""

from __future__ import annotations

from stagewright.ports.kv_store import IKVStore
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IClock

TRIES = 3
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

    @property
    def _mark(self) -> str:
        return f"drain:{self.partition}"

    async def begin(self) -> None:
        """Leave the mark; careful when one was there."""
        now_ms = self._clock.now_ms()
        self.careful = await self._kv.get(self._mark, now_ms) is not None
        await self._kv.set(self._mark, b"1", _DAY_S, now_ms)

    async def is_crasher(self, message: InboxMessage) -> bool:
        """Count a try of this message; whether it has used them up."""
        key = f"try:{message.partition}:{message.position}"
        return await self._kv.increment(key, 1, _DAY_S, self._clock.now_ms()) > TRIES

    def over(self, messages: int, limit: int) -> bool:
        """Whether a batch of so many messages, of at most `limit`, was the last of the drain."""
        self._left -= messages
        return messages < limit or self._left <= 0

    async def end(self) -> None:
        """The drain came to its end."""
        await self._kv.delete(self._mark)

"""Where one reader sits: what it has not read yet, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import Enum

from stagewright.application.feed_told import Chunk, Message, Told
from stagewright.ports.live import Wanted

DELTA = "delta"
MOST_BATCHES = 512
MOST_BYTES = 1_048_576
MOST_WHEN_EPHEMERAL = 64
"""A reader with so much unread misses what is ephemeral."""


class Word(Enum):
    """What a batch is about."""

    EVENTS = "events"
    EPHEMERAL = "ephemeral"
    BEAT = "beat"
    GAP = "gap"
    SETTLED = "settled"
    STOP = "stop"


class Batch:
    """What readers are told together."""

    __slots__ = ("_chunks", "cursor", "messages", "size_bytes", "told", "word")

    def __init__(
        self,
        word: Word,
        cursor: str = "",
        *,
        told: Sequence[Told] = (),
        messages: Sequence[Message] = (),
    ) -> None:
        self.word, self.cursor, self.told, self.messages = word, cursor, told, messages
        self.size_bytes = sum(one.size_bytes for one in told)
        self._chunks: dict[Wanted, Chunk] = {}

    def chunk(self, wanted: Wanted) -> Chunk:
        """Return the messages for readers who want the same: made once for all of them."""
        found = self._chunks.get(wanted)
        if found is None:
            told = (message for one in self.told for message in one.messages(wanted))
            found = self._chunks[wanted] = Chunk([*self.ephemeral(wanted), *told])
        return found

    def ephemeral(self, wanted: Wanted) -> Sequence[Message]:
        """Return what comes without a position, as far as it is wanted."""
        return [one for one in self.messages if wanted.deltas or one.event != DELTA]


class Seat:
    """One reader of the hub. `workflow_ids` are those it hears of; empty: all."""

    __slots__ = ("_arrived", "_batches", "_bytes", "lost", "workflow_ids")

    def __init__(self, workflow_ids: frozenset[str] = frozenset()) -> None:
        self.workflow_ids = workflow_ids
        self._batches: deque[Batch] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self.lost = False
        """It did not keep up, and what it had not read was let go."""

    def put(self, batch: Batch) -> None:
        """Tell the reader something, unless it is too far behind."""
        if self.lost:
            return
        if batch.word is Word.EPHEMERAL and len(self._batches) >= MOST_WHEN_EPHEMERAL:
            return
        self._batches.append(batch)
        self._bytes += batch.size_bytes
        if len(self._batches) > MOST_BATCHES or self._bytes > MOST_BYTES:
            self.clear()
            self.lost = True
        self._arrived.set()

    def clear(self) -> None:
        """Let go of everything unread; the reader has it from elsewhere."""
        self._batches.clear()
        self._bytes = 0
        self.lost = False

    async def next(self) -> Batch | None:
        """Return what was told next; None when the reader did not keep up."""
        while not self._batches and not self.lost:
            self._arrived.clear()
            await self._arrived.wait()
        if self.lost:
            return None
        batch = self._batches.popleft()
        self._bytes -= batch.size_bytes
        return batch

"""Reading inboxes.

The streams themselves are read, blocking, so nothing stands between a result and its reader; but
never an entry that is larger than the reader allows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from stagewright.adapters.redis.alarms import Alarms
from stagewright.adapters.redis.due import Due, DueWatcher
from stagewright.adapters.redis.parser import READ_BYTES, ReplyTooLargeError
from stagewright.adapters.redis.readers import Entries, Reader, Readers
from stagewright.adapters.redis.shared import Shared
from stagewright.domain.errors import Unreachable
from stagewright.ports.message_bus import InboxMessage, Received
from stagewright.ports.task import TaskLease

REPLY_BYTES = 16 << 20
"""Most bytes of one answer."""

_PUBLISHED, _COMPLETED = 2, 4
"""Words of an entry."""
_ANSWER = 5
"""Words per message of what the server measured."""
_TOKEN_DIGITS = 19
_PAUSES_S = (0.05, 0.5)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call of `receive` asks for."""

    after: Mapping[int, str]
    positions: Mapping[str, str]
    """The same by stream, as Redis wants it."""
    limit: int
    max_body_bytes: int
    patient: bool
    """Whether it waits when nothing is there."""

    @property
    def count(self) -> int:
        """Entries to read of each stream."""
        return max(1, -(-self.limit // max(1, len(self.after))))


class Inbox:
    """Inboxes, and what falls due beside them."""

    def __init__(self, shared: Shared, readers: Readers, alarms: Alarms) -> None:
        self._functions, self._keys, self._clock = shared.functions, shared.keys, shared.clock
        self._readers, self._alarms, self._due = readers, alarms, DueWatcher(shared)
        self._numbers = {part.inbox: part.number for part in self._keys.partitions}

    async def receive(
        self,
        after: Mapping[int, str],
        limit: int,
        wait_s: float,
        now_ms: int,
        max_body_bytes: int,
    ) -> Received:
        """Return what waits; see IMessageBus. A connection that is lost is made again meanwhile."""
        parts = self._keys.partitions
        positions = {parts[number].inbox: position or "0-0" for number, position in after.items()}
        wanted = Wanted(after, positions, limit, max_body_bytes, wait_s > 0)
        give_up_ms = now_ms + round(wait_s * 1000)
        if wanted.patient:
            self._alarms.attend()
        async with self._readers.reader(positions, wanted.count) as reader:
            reader.bound(max_body_bytes + 2 * READ_BYTES, max(REPLY_BYTES, 4 * max_body_bytes))
            while True:
                try:
                    found = await self._look(reader, wanted, now_ms, give_up_ms)
                except Unreachable:
                    await self._functions.distrust()
                    if self._clock.now_ms() >= give_up_ms:
                        raise
                    await asyncio.sleep(random.uniform(*_PAUSES_S))  # noqa: S311  # no secret
                    found = None
                if found is not None:
                    return found
                now_ms = max(now_ms, self._clock.now_ms())

    async def _look(
        self, reader: Reader, wanted: Wanted, now_ms: int, give_up_ms: int
    ) -> Received | None:
        """Look at what is due and wait for messages; None when neither came and there is time."""
        numbers = list(wanted.after)
        watch = self._due.watch
        overdue = watch.to_look_at(numbers, now_ms) if wanted.patient else numbers
        due = await self._due.look(overdue, now_ms, wanted.limit)
        hurried = bool(due.timers or due.expired) or not wanted.patient or now_ms >= give_up_ms
        until_ms = now_ms if hurried else min(give_up_ms, watch.next_look_ms(numbers))
        messages = await self._messages(reader, wanted, max(0, until_ms - now_ms))
        if not (messages or hurried):
            return None
        return self._received(messages, due, numbers)

    def _received(self, messages: list[InboxMessage], due: Due, numbers: Sequence[int]) -> Received:
        return Received(messages, due.timers, due.expired, self._due.marks(numbers))

    async def _messages(self, reader: Reader, wanted: Wanted, wait_ms: int) -> list[InboxMessage]:
        try:
            if wait_ms:
                found = await self._wait(reader, wanted, wait_ms / 1000)
            elif wanted.patient:
                found = await reader.glance(wanted.positions, wanted.count)
            else:
                found = await reader.read(wanted.positions, wanted.count)
        except ReplyTooLargeError:
            return await self._carefully(wanted)
        return self._ordered(self._read(found, wanted.max_body_bytes), wanted.limit)

    async def _wait(self, reader: Reader, wanted: Wanted, delay_s: float) -> Entries:
        sooner = self._due.watch.sooner()
        try:
            return await reader.wait_or_sleep(
                wanted.positions, wanted.count, self._clock, delay_s, sooner
            )
        finally:
            self._due.watch.forget(sooner)

    def _read(self, found: Entries, max_body_bytes: int) -> list[list[InboxMessage]]:
        return [
            [
                _message(self._numbers[stream], id_, fields, max_body_bytes)
                for id_, fields in entries
            ]
            for stream, entries in found.items()
        ]

    async def _carefully(self, wanted: Wanted) -> list[InboxMessage]:
        """Let the server measure every entry, and leave those that are too large where they are."""
        commands = [
            self._functions.command(
                "read_inbox",
                [stream],
                (position, wanted.count, wanted.max_body_bytes, REPLY_BYTES),
            )
            for stream, position in wanted.positions.items()
        ]
        found = [
            [
                InboxMessage(
                    number,
                    id_.decode(),
                    body,
                    size if size > len(body) else None,
                    _lease(task, token),
                )
                for id_, size, body, task, token in zip(*[iter(flat)] * _ANSWER, strict=True)
            ]
            for number, flat in zip(wanted.after, await self._functions.run(commands), strict=True)
        ]
        return self._ordered(found, wanted.limit)

    def _ordered(self, found: list[list[InboxMessage]], limit: int) -> list[InboxMessage]:
        """Return the oldest messages; each partition's are in order already."""
        if len(found) == 1:
            return found[0][:limit]
        return sorted(chain(*found), key=lambda message: _place(message.position))[:limit]


def _place(position: str) -> tuple[int, int]:
    ms, _, sequence = position.partition("-")
    return int(ms), int(sequence)


def _message(number: int, id_: str, fields: Sequence[bytes], max_body_bytes: int) -> InboxMessage:
    """Return an entry: workflow and message, and task and token of who completed one with it.

    One of another shape keeps all its words.
    """
    lease = _lease(*fields[2:]) if len(fields) == _COMPLETED else None
    whole = len(fields) == _PUBLISHED or lease is not None
    body = fields[1] if whole else b" ".join(fields)
    if len(body) > max_body_bytes:
        return InboxMessage(number, id_, b"", len(body), lease)
    return InboxMessage(number, id_, body, lease=lease)


def _lease(task: bytes, token: bytes) -> TaskLease | None:
    """Return the lease that an entry names; None for none, and for what nobody of ours wrote."""
    if not (b"/" in task and task.isascii() and token.isdigit() and len(token) <= _TOKEN_DIGITS):
        return None
    return TaskLease(task.decode(), int(token))

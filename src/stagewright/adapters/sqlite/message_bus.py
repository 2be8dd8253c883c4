"""The bus in SQLite."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter

from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.deliveries import Delivery, deliver
from stagewright.adapters.sqlite.feed import LAST
from stagewright.adapters.sqlite.hints import Listener, wait
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.domain.errors import UsageError
from stagewright.ports.health import PortHealth
from stagewright.ports.message_bus import (
    EPHEMERAL,
    DueTimer,
    FeedEntry,
    InboxMessage,
    Message,
    PartitionMark,
    Received,
    Topic,
    check_publishable,
)
from stagewright.ports.task import TaskLease, TaskRecord

NOTES_KEPT = 1_000
OVERSIZE_KEEPS_BYTES = 1_024


class SqliteMessageBus:
    """IMessageBus over one file."""

    def __init__(self, core: Core) -> None:
        self._core, self._clock, self._hints = core, core.clock, core.hints
        self._reader, self._run = core.reader, core.writer.run

    async def publish(self, topic: Topic, messages: Sequence[Message], now_ms: int) -> None:
        """Publish messages in order."""
        check_publishable(topic)
        if topic is Topic.INBOX:
            await self._run(lambda transaction: self._put(transaction, messages))
        elif topic is Topic.NOTES:
            await self._run(lambda transaction: self._note(transaction, messages, now_ms))
        else:
            for message in messages:
                self._hints.tell(topic, message)

    def _put(self, transaction: Transaction, messages: Sequence[Message]) -> None:
        addressed = (Delivery(m.workflow_id, m.workflow_id, m.body) for m in messages)
        deliver(transaction, self._hints, addressed)

    def _note(self, transaction: Transaction, messages: Sequence[Message], now_ms: int) -> None:
        """A workflow that is unknown or forgotten takes no notes."""
        transaction.change_many(
            "insert_note",
            [(transaction.next_number(), m.workflow_id, now_ms, m.body) for m in messages],
        )
        for workflow_id in {message.workflow_id for message in messages}:
            transaction.change("drop_old_notes", (workflow_id, NOTES_KEPT))
        self._core.feed.trim_late(transaction, now_ms)
        transaction.after_commit(self._hints.feed_readers.wake)

    async def receive(
        self,
        after: Mapping[int, str],
        limit: int,
        wait_s: float,
        now_ms: int,
        max_body_bytes: int,
    ) -> Received:
        """Return what waits in the partitions named; wait for something when nothing does.

        Whether anything can be there is known without asking the file.
        """
        partitions = [self._hints.partitions[number] for number in after]
        give_up_at_ms = now_ms + round(wait_s * 1000)
        while True:
            found = self._waiting(after, limit, now_ms, max_body_bytes)
            if found.messages or found.timers or found.expired or now_ms >= give_up_at_ms:
                return found
            until_ms = min([give_up_at_ms, *(known.next_due_ms for known in partitions)])
            readers = [known.readers for known in partitions]
            await wait(self._clock, readers, until_ms, (until_ms - now_ms) / 1000)
            now_ms = max(now_ms, self._clock.now_ms())

    def _waiting(
        self, after: Mapping[int, str], limit: int, now_ms: int, max_body_bytes: int
    ) -> Received:
        timers, expired = self._due(after, limit, now_ms)
        return Received(
            self._messages(after, limit, max_body_bytes), timers, expired, self._marks(after)
        )

    def _messages(
        self, after: Mapping[int, str], limit: int, max_body_bytes: int
    ) -> list[InboxMessage]:
        inboxes = [
            [
                (position, number, body, size, _lease(task_id, token))
                for position, body, size, task_id, token in self._reader.rows(
                    "select_messages", (number, int(read or 0), limit, max_body_bytes)
                )
            ]
            for number, read in after.items()
            if int(read or 0) < self._hints.partitions[number].last_position
        ]
        return [
            InboxMessage(number, str(position), body, lease=lease)
            if body is not None
            else InboxMessage(number, str(position), b"", size, lease)
            for position, number, body, size, lease in list(heapq.merge(*inboxes))[:limit]
        ]

    def _due(
        self, after: Mapping[int, str], limit: int, now_ms: int
    ) -> tuple[list[DueTimer], list[TaskRecord]]:
        timers: list[DueTimer] = []
        expired: list[TaskRecord] = []
        for number in after:
            known = self._hints.partitions[number]
            if known.next_due_ms > now_ms:
                continue
            values = (number, now_ms, limit)
            found = self._reader.rows("select_due_timers", values)
            lost = self._reader.rows("select_expired", values)
            timers += [DueTimer(*row) for row in found]
            expired += [TaskRecord(*row) for row in lost]
            if not found and not lost:
                known.next_due_ms = self._next_due_ms(number)
        timers.sort(key=attrgetter("due_at_ms"))
        expired.sort(key=attrgetter("expires_at_ms"))
        return timers[:limit], expired[:limit]

    def _next_due_ms(self, number: int) -> float:
        ((at_ms,),) = self._reader.rows("select_next_due", (number,))
        return float("inf") if at_ms is None else at_ms

    def _marks(self, after: Mapping[int, str]) -> dict[int, PartitionMark]:
        incarnation, partitions = self._core.namespace.incarnation, self._hints.partitions
        return {number: PartitionMark(incarnation, partitions[number].commits) for number in after}

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        """Delete messages that need no step."""
        rows = [(int(message.position), message.partition) for message in messages]
        await self._run(lambda transaction: transaction.change_many("delete_message", rows))

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        """Delete a message and keep it as a dead letter."""
        kept = None if message.oversize_bytes is None else OVERSIZE_KEEPS_BYTES
        letter_id = f"p{message.partition:02d}-{now_ms:012x}-{message.position}"

        def work(transaction: Transaction) -> None:
            values = (int(message.position), message.partition, kept)
            if (taken := transaction.row("take_message", values)) is not None:
                workflow_id, body = taken
                letter = (letter_id, workflow_id, reason, body, now_ms)
                transaction.change("insert_letter", letter)

        await self._run(work)

    @asynccontextmanager
    async def subscribe(
        self, topic: Topic, workflow_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Message]]:
        """Listen to an ephemeral topic from entering on."""
        if topic not in EPHEMERAL:
            raise UsageError(
                f"topic: {topic.value} is durable and cannot be subscribed to.",
                remedy="Read the inbox with receive, notes with replay or log.",
            )
        listener = Listener(topic, workflow_id)
        self._hints.join(listener)
        try:
            yield listener
        finally:
            self._hints.leave(listener)

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float = 0.0, until: str | None = None
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return feed entries after a cursor, and the cursor after the last."""
        now_ms = self._clock.now_ms()
        give_up_at_ms = now_ms + round(wait_s * 1000)
        feed = self._core.feed
        after = await feed.start(cursor, now_ms)
        last = LAST if until is None else await feed.start(until, now_ms)
        while True:
            entries, end = feed.read(after, limit, last)
            if entries or now_ms >= give_up_at_ms:
                return entries, end
            left_s = (give_up_at_ms - now_ms) / 1000
            await wait(self._clock, [self._hints.feed_readers], give_up_at_ms, left_s)
            now_ms = max(now_ms, self._clock.now_ms())

    async def health(self) -> PortHealth:
        """Say whether the file answers, and how durable it is."""
        return await self._core.health()


def _lease(task_id: str | None, token: int | None) -> TaskLease | None:
    """Return the lease that was proved for a message, if any was."""
    return None if task_id is None or token is None else TaskLease(task_id, token)

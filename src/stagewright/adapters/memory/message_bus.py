"""The bus in memory."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from stagewright.adapters.memory import feed
from stagewright.adapters.memory.hints import Listener, wait
from stagewright.adapters.memory.queues import Waiting
from stagewright.adapters.memory.state import Namespace
from stagewright.domain.errors import UsageError
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.health import PortHealth
from stagewright.ports.message_bus import (
    EPHEMERAL,
    DueTimer,
    FeedEntry,
    InboxMessage,
    Message,
    Received,
    Topic,
    check_publishable,
)
from stagewright.ports.system import IClock
from stagewright.ports.task import TaskRecord

OVERSIZE_KEEPS_BYTES = 1_024


class MemoryMessageBus:
    """IMessageBus over the state of one process."""

    def __init__(self, state: Namespace, clock: IClock) -> None:
        self._state, self._clock = state, clock

    async def publish(self, topic: Topic, messages: Sequence[Message], now_ms: int) -> None:
        """Publish messages in order."""
        check_publishable(topic)
        for message in messages:
            if topic is Topic.INBOX:
                self._state.deliver(message.workflow_id, message.body)
            elif topic is Topic.NOTES:
                self._note(message, now_ms)
            else:
                self._state.listeners.tell(topic, message)

    def _note(self, message: Message, now_ms: int) -> None:
        """A workflow that is unknown or forgotten takes no notes."""
        workflow = self._state.workflows.get(message.workflow_id)
        if workflow is not None:
            workflow.notes.append(message.body)
            self._state.feed(message.workflow_id, "note", message.body, now_ms)

    async def receive(
        self,
        after: Mapping[int, str],
        limit: int,
        wait_s: float,
        now_ms: int,
        max_body_bytes: int,
    ) -> Received:
        """Return what waits in the partitions named; wait for something when nothing does."""
        give_up_at_ms = now_ms + round(wait_s * 1000)
        while True:
            found = self._waiting(after, limit, now_ms, max_body_bytes)
            if found.messages or found.timers or found.expired or now_ms >= give_up_at_ms:
                return found
            readers = [self._state.partitions[number].readers for number in after]
            until_ms = min([give_up_at_ms, *self._instants(after)])
            await wait(self._clock, readers, until_ms, (until_ms - now_ms) / 1000)
            now_ms = max(now_ms, self._clock.now_ms())

    def _instants(self, after: Mapping[int, str]) -> Iterable[int]:
        instants = (self._state.partitions[number].next_instant_ms() for number in after)
        return (instant for instant in instants if instant is not None)

    def _waiting(
        self, after: Mapping[int, str], limit: int, now_ms: int, max_body_bytes: int
    ) -> Received:
        return Received(
            self._messages(after, limit, max_body_bytes),
            self._timers(after, limit, now_ms),
            self._expired(after, limit, now_ms),
            {number: self._state.mark(number) for number in after},
        )

    def _messages(
        self, after: Mapping[int, str], limit: int, max_body_bytes: int
    ) -> list[InboxMessage]:
        inboxes = (self._inbox(number, position) for number, position in after.items())
        oldest = islice(heapq.merge(*inboxes), limit)
        return [_message(number, waiting, max_body_bytes) for _, number, waiting in oldest]

    def _inbox(self, number: int, position: str) -> Iterator[tuple[int, int, Waiting]]:
        for waiting in self._state.partitions[number].inbox.after(position):
            yield waiting.arrival, number, waiting

    def _timers(self, after: Iterable[int], limit: int, now_ms: int) -> list[DueTimer]:
        due = [
            DueTimer(*timer, due_at_ms)
            for number in after
            for due_at_ms, timer in self._state.partitions[number].timers.until(now_ms, limit)
        ]
        return sorted(due, key=lambda timer: timer.due_at_ms)[:limit]

    def _expired(self, after: Iterable[int], limit: int, now_ms: int) -> list[TaskRecord]:
        expired = [
            (expired_at_ms, task)
            for number in after
            for expired_at_ms, task in self._state.partitions[number].leases.until(now_ms, limit)
        ]
        expired.sort(key=lambda found: found[0])
        return [task.record() for _, task in expired[:limit]]

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        """Delete messages that need no step."""
        for message in messages:
            self._state.partitions[message.partition].inbox.pop(message.position)

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        """Delete a message and keep it as a dead letter."""
        partition = self._state.partitions[message.partition]
        waiting = partition.inbox.pop(message.position)
        if waiting is None:
            return
        kept = None if message.oversize_bytes is None else OVERSIZE_KEEPS_BYTES
        letter_id = f"p{message.partition:02d}-{now_ms:012x}-{message.position}"
        partition.letters[letter_id] = DeadLetter(
            letter_id, waiting.workflow_id, reason, waiting.body[:kept], now_ms
        )

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
        self._state.listeners.join(listener)
        try:
            yield listener
        finally:
            self._state.listeners.leave(listener)

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float = 0.0, until: str | None = None
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return feed entries after a cursor, and the cursor after the last."""
        now_ms = self._clock.now_ms()
        give_up_at_ms = now_ms + round(wait_s * 1000)
        after = feed.start(self._state, cursor, now_ms)
        end = None if until is None else feed.start(self._state, until, now_ms)
        while True:
            entries, place = feed.read(self._state, after, limit, end)
            if entries or now_ms >= give_up_at_ms:
                return entries, place
            left_s = (give_up_at_ms - now_ms) / 1000
            await wait(self._clock, [self._state.feed_readers], give_up_at_ms, left_s)
            now_ms = max(now_ms, self._clock.now_ms())

    async def health(self) -> PortHealth:
        """Say that nothing outlives the process."""
        return PortHealth(ok=True, durability="none", detail="memory of this process")


def _message(number: int, waiting: Waiting, max_body_bytes: int) -> InboxMessage:
    size = len(waiting.body)
    if size > max_body_bytes:
        return InboxMessage(number, str(waiting.position), b"", size, waiting.lease)
    return InboxMessage(number, str(waiting.position), waiting.body, lease=waiting.lease)

"""The bus on Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from stagewright.adapters.redis.connection import Argument, Command
from stagewright.adapters.redis.feed import Feed
from stagewright.adapters.redis.inbox import Inbox
from stagewright.adapters.redis.keys import PartitionKeys
from stagewright.adapters.redis.letters import REASON_BYTES
from stagewright.adapters.redis.listeners import Listeners, Read
from stagewright.adapters.redis.shared import Shared
from stagewright.domain import ids
from stagewright.domain.errors import UsageError
from stagewright.ports.health import PortHealth
from stagewright.ports.message_bus import (
    FeedEntry,
    InboxMessage,
    Message,
    Received,
    Topic,
    check_publishable,
)

NOTES_KEPT = 1_000
OVERSIZE_KEEPS_BYTES = 1_024


class RedisMessageBus:
    """IMessageBus over streams and channels."""

    def __init__(self, shared: Shared, inbox: Inbox, feed: Feed, listeners: Listeners) -> None:
        self._functions, self._keys = shared.functions, shared.keys
        self._inbox, self._feed, self._listeners = inbox, feed, listeners
        self._lanes, self._health = shared.lanes, shared.health
        self._feed_retention_ms = shared.feed_retention_ms

    async def publish(self, topic: Topic, messages: Sequence[Message], now_ms: int) -> None:
        """Publish messages in order."""
        check_publishable(topic)
        by_topic: dict[Topic, Callable[[Sequence[Message], int], list[Command]]] = {
            Topic.INBOX: self._to_inboxes,
            Topic.NOTES: self._notes,
            Topic.DELTAS: self._deltas,
            Topic.WAKE: self._hints,
        }
        if messages:
            await self._functions.run(by_topic[topic](messages, now_ms))

    def _to_inboxes(self, messages: Sequence[Message], _: int) -> list[Command]:
        return [
            ("XADD", self._keys.of(id_).inbox, "*", id_, message.body)
            for message in messages
            for id_ in (message.workflow_id,)
        ]

    def _notes(self, messages: Sequence[Message], now_ms: int) -> list[Command]:
        groups: dict[int, list[Message]] = {}
        for message in messages:
            groups.setdefault(self._keys.of(message.workflow_id).number, []).append(message)
        return [self._note(number, group, now_ms) for number, group in groups.items()]

    def _note(self, number: int, messages: Sequence[Message], now_ms: int) -> Command:
        part = self._keys.partitions[number]
        keys = [part.marks, part.feed]
        arguments: list[Argument] = [now_ms, self._feed_retention_ms, NOTES_KEPT]
        for message in messages:
            keys += (part.workflow(message.workflow_id), part.notes(message.workflow_id))
            arguments.append(message.body)
        return self._functions.command("note", keys, arguments)

    def _deltas(self, messages: Sequence[Message], _: int) -> list[Command]:
        return [
            ("PUBLISH", self._keys.of(id_).deltas(id_), message.body)
            for message in messages
            for id_ in (message.workflow_id,)
        ]

    def _hints(self, messages: Sequence[Message], _: int) -> list[Command]:
        return [
            ("PUBLISH", self._keys.of(id_).wake, b"- " + id_.encode() + b" " + message.body)
            for message in messages
            for id_ in (message.workflow_id,)
        ]

    async def receive(
        self,
        after: Mapping[int, str],
        limit: int,
        wait_s: float,
        now_ms: int,
        max_body_bytes: int,
    ) -> Received:
        """Return what waits in the partitions named; wait for something when nothing does."""
        return await self._inbox.receive(after, limit, wait_s, now_ms, max_body_bytes)

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        """Delete messages that need no step."""
        positions: dict[int, list[str]] = {}
        for message in messages:
            positions.setdefault(message.partition, []).append(message.position)
        if positions:
            parts = self._keys.partitions
            await self._functions.run(
                [("XDEL", parts[number].inbox, *mine) for number, mine in positions.items()]
            )

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        """Delete a message and keep it as a dead letter."""
        part = self._keys.partitions[message.partition]
        letter_id = f"p{message.partition:02d}-{now_ms:012x}-{message.position}"
        kept: Argument = "" if message.oversize_bytes is None else OVERSIZE_KEEPS_BYTES
        keys = (part.inbox, part.letters, part.letter_order)
        clipped = reason.encode()[:REASON_BYTES]
        arguments = (message.position, letter_id, now_ms, clipped, kept)
        await self._functions.call("reject", keys, arguments)

    @asynccontextmanager
    async def subscribe(
        self, topic: Topic, workflow_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[Message]]:
        """Listen to an ephemeral topic from entering on."""
        read: Read
        if topic is Topic.WAKE:
            channels, read = [part.wake for part in self._parts(workflow_id)], self._read_hint
        elif topic is Topic.DELTAS:
            channels, read = self._delta_channels(workflow_id), _read_delta
        elif topic is Topic.ENDED:
            channels, read = [part.ended for part in self._parts(workflow_id)], _read_ended
        else:
            raise UsageError(
                f"topic: {topic.value} is durable and cannot be subscribed to.",
                remedy="Read the inbox with receive, notes with replay or log.",
            )

        def of_interest(channel: str, said: bytes) -> Message | None:
            message = read(channel, said)
            return message if message and workflow_id in (None, message.workflow_id) else None

        async with self._listeners.listening(channels, of_interest) as listener:
            yield listener

    def _parts(self, workflow_id: str | None) -> Sequence[PartitionKeys]:
        return self._keys.partitions if workflow_id is None else [self._keys.of(workflow_id)]

    def _delta_channels(self, workflow_id: str | None) -> list[str]:
        if workflow_id is None:
            return [self._keys.all_deltas]
        return [self._keys.of(workflow_id).deltas(workflow_id)]

    def _read_hint(self, _: str, said: bytes) -> Message | None:
        """Read `PRIORITY WORKFLOW BODY`, and remember where tasks were queued."""
        priority, rest = said.partition(b" ")[::2]
        workflow, space, body = rest.partition(b" ")
        workflow_id = workflow.decode(errors="replace")
        if not (space and self._keys.knows(workflow_id)):
            return None
        if priority.isdigit():
            lane = body.decode(errors="replace")
            self._lanes.note(lane, ids.partition_of(workflow_id), int(priority))
        return Message(workflow_id, body)

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float = 0.0, until: str | None = None
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return feed entries after a cursor, and the cursor after the last."""
        return await self._feed.replay(cursor, limit, wait_s, until)

    async def health(self) -> PortHealth:
        """Return whether Redis answers."""
        return await self._health.check()


def _read_delta(channel: str, said: bytes) -> Message | None:
    return Message(channel.rpartition(":")[2], said)


def _read_ended(_: str, said: bytes) -> Message | None:
    return Message(said.decode(errors="replace"), b"")

"""The bus: inboxes, the feed, notes and ephemeral topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stagewright.domain.errors import UsageError
from stagewright.ports.health import PortHealth
from stagewright.ports.task import TaskLease, TaskRecord


class Topic(Enum):
    """Where a message goes."""

    INBOX = "inbox"
    """Durable, read by the partition's owner until a commit, acknowledge or reject deletes it."""
    NOTES = "notes"
    """Durable: appended to the workflow's notes (the newest 1,000 are kept) and to the feed.

    A note for a workflow that is unknown or forgotten is dropped.
    """
    DELTAS = "deltas"
    """Ephemeral: whoever listens now."""
    WAKE = "wake"
    """Ephemeral hints that work may be there; a lost one costs a moment, never a task."""
    ENDED = "ended"
    """Ephemeral: the workflow has ended. Told by the commit that ended it; the body is empty.

    Nobody else can tell it: what is heard here is true.
    """


EPHEMERAL = frozenset({Topic.DELTAS, Topic.WAKE, Topic.ENDED})
"""Topics that are heard by whoever listens, and kept by nobody."""


def check_publishable(topic: Topic) -> None:
    """Raise UsageError for what only a commit tells; every backend asks before it publishes."""
    if topic is Topic.ENDED:
        raise UsageError(
            f"topic: {topic.value} is told by the commit that ends a workflow, and not published.",
            remedy="End the workflow, by a command or by its last result.",
        )


@dataclass(frozen=True, slots=True)
class Message:
    """A message to publish or one that was heard. `workflow_id` names its partition."""

    workflow_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message in the inbox that was not yet applied."""

    partition: int
    position: str
    body: bytes
    """Empty when `oversize_bytes` is set: an entry above the limit is never read."""
    oversize_bytes: int | None = None
    lease: TaskLease | None = None
    """The lease that was proved by whoever completed a task with it; None for what was published.

    A body that cannot be read ends that attempt all the same.
    """


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer whose instant has come; it stays due until a commit clears or moves it."""

    workflow_id: str
    timer_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class PartitionMark:
    """How far a partition has come. A counter that goes back, or another incarnation, is a loss.

    A backend that finds that it goes on from a copy, or with less than it had, begins another
    incarnation.
    """

    incarnation: str
    commits: int


@dataclass(frozen=True, slots=True)
class Received:
    """One batch for the owner of some partitions."""

    messages: Sequence[InboxMessage]
    timers: Sequence[DueTimer]
    expired: Sequence[TaskRecord]
    """Leased tasks whose lease has run out; they stay until released, or closed by a commit."""
    marks: Mapping[int, PartitionMark]


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A step record or a note on the feed."""

    workflow_id: str
    kind: str
    """`step` or `note`."""
    body: bytes
    cursor: str
    """Opaque; `replay` with it continues after this entry."""


class IMessageBus(Protocol):
    """Messages between processes. Bodies are opaque bytes."""

    async def publish(self, topic: Topic, messages: Sequence[Message], now_ms: int) -> None:
        """Publish messages in order. Durable topics are durable when this returns.

        Raise UsageError for ENDED, which only a commit tells.
        """
        ...

    async def receive(
        self,
        after: Mapping[int, str],
        limit: int,
        wait_s: float,
        now_ms: int,
        max_body_bytes: int,
    ) -> Received:
        """Return what waits in the partitions named, oldest first, at most `limit` of each sort.

        `after` maps partition to the position read last; "" reads from the beginning, where all
        that was never applied lies. With nothing there, wait up to `wait_s` for a message, a due
        timer or an expired lease (the adapter keeps watch of the next due instant; a timer set by
        another process is noticed within a second; where nothing moved for a while and the hint of
        it was lost, within ten). Reading changes nothing.
        """
        ...

    async def acknowledge(self, messages: Sequence[InboxMessage]) -> None:
        """Delete messages that need no step: those that were found to change nothing."""
        ...

    async def reject(self, message: InboxMessage, reason: str, now_ms: int) -> None:
        """Delete a message and keep it as a dead letter with its reason, in one atomic call.

        An oversize one keeps its first 1,024 bytes. Rejecting twice keeps one dead letter.
        """
        ...

    def subscribe(
        self, topic: Topic, workflow_id: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Listen to an ephemeral topic (of one workflow only when named), from entering on.

        What was said just before may still be heard.
        WAKE messages of commits carry the lane as body. A listener that does not keep up loses the
        oldest messages, never memory. Raise UsageError for a durable topic.
        """
        ...

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float = 0.0, until: str | None = None
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return feed entries after `cursor` over all partitions, and the cursor after the last.

        With `until`, a cursor that was handed out, return nothing behind its place in any
        partition: who has read all up to there goes on from it without gap or repetition.
        None starts at the oldest kept entry; "now" at the end. The order of one workflow's entries
        is kept. Entries stay for the feed's retention, however many they are; no reader holds them
        longer. Raise CursorExpired when entries after the cursor were trimmed away or the
        incarnation is another one, CursorInvalid for what was never a cursor.
        """
        ...

    async def health(self) -> PortHealth:
        """Return whether the bus answers."""
        ...

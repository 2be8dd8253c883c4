"""What a memory backend holds. Everything here is synchronous, and so atomic."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from stagewright.adapters.memory.hints import Listeners, Waiters
from stagewright.adapters.memory.queues import Inbox, Ordered
from stagewright.domain import ids
from stagewright.ports.audit import AuditEntry
from stagewright.ports.commit import IndexEntry
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.message_bus import Message, PartitionMark, Topic
from stagewright.ports.registry import Entry, Kind
from stagewright.ports.task import NewTask, TaskLease, TaskRecord
from stagewright.ports.workflow_store import Tombstone

NOTES_KEPT = 1_000
DEFAULT_PARTITIONS = 4


@dataclass(eq=False, slots=True)
class Task:
    """A task in flight. `place` orders it in its lane, for life."""

    task_id: str
    workflow_id: str
    partition: int
    lane: str
    priority: int
    timeout_s: float
    body: bytes
    queued_at_ms: int
    place: int
    state: Literal["queued", "leased", "done", "suspended"] = "queued"
    token: int = 0
    holder: str | None = None
    claimed_at_ms: int | None = None
    expires_at_ms: int | None = None
    deadline_at_ms: int | None = None
    lost: int = 0

    def holds(self, token: int) -> bool:
        """Whether the token leases this task at this moment."""
        return self.state == "leased" and self.token == token

    def record(self, position: int | None = None) -> TaskRecord:
        """Return what others may know of it."""
        return TaskRecord(
            self.task_id,
            self.state,
            self.lane,
            self.priority,
            self.token,
            self.holder,
            self.queued_at_ms,
            self.claimed_at_ms,
            self.expires_at_ms,
            self.deadline_at_ms,
            self.lost,
            position,
        )


@dataclass(eq=False, slots=True)
class Workflow:
    """One workflow with all that goes when it is forgotten, blobs apart."""

    step_id: str = ""
    snapshot: bytes = b""
    suspended: bool = False
    index: IndexEntry | None = None
    log: list[bytes] = field(default_factory=list)
    notes: deque[bytes] = field(default_factory=lambda: deque(maxlen=NOTES_KEPT))
    outputs: dict[str, bytes] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    timers: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Fed:
    """An entry of a partition's feed. `arrival` orders entries over all partitions."""

    arrival: int
    at_ms: int
    workflow_id: str
    kind: Literal["step", "note"]
    body: bytes


class Partition:
    """Inbox, timers, leases, feed and counters of one partition."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.timers: Ordered[tuple[str, str]] = Ordered()
        self.leases: Ordered[Task] = Ordered()
        self.feed: dict[int, Fed] = {}
        """Numbered from 1 without gap; the oldest are trimmed."""
        self.fed = 0
        self.letters: dict[str, DeadLetter] = {}
        self.commits = 0
        self.token = 0
        self.readers = Waiters()

    @property
    def trimmed(self) -> int:
        """Number of the newest feed entry that is gone."""
        return self.fed - len(self.feed)

    def trim(self, before_ms: int) -> None:
        """Drop the feed entries that are older than an instant."""
        number = self.trimmed + 1
        while (entry := self.feed.get(number)) is not None and entry.at_ms < before_ms:
            del self.feed[number]
            number += 1

    def next_instant_ms(self) -> int | None:
        """Return when the next timer or lease falls due."""
        heads = (self.timers.first(), self.leases.first())
        return min((head[0] for head in heads if head), default=None)


class Namespace:
    """All that one memory backend holds."""

    def __init__(self, partitions: int, feed_retention_s: float) -> None:
        self.incarnation = os.urandom(4).hex()
        self.partitions = [Partition() for _ in range(partitions)]
        self.workflows: dict[str, Workflow] = {}
        self.index: OrderedDict[str, IndexEntry] = OrderedDict()
        """By time of change, so nearly in the order that queries want."""
        self.counts: Counter[str] = Counter()
        self.tombstones: dict[str, Tombstone] = {}
        self.tombstone_ends: Ordered[str] = Ordered()
        self.tasks: dict[str, Task] = {}
        self.lanes: dict[tuple[str, int], dict[int, Ordered[Task]]] = {}
        self.values: dict[str, bytes] = {}
        self.value_ends: Ordered[str] = Ordered()
        self.entries: dict[tuple[Kind, str, str], Entry] = {}
        self.bodies: dict[tuple[Kind, str], bytes] = {}
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.audit: dict[str, AuditEntry] = {}
        self.listeners = Listeners()
        self.feed_readers = Waiters()
        self.claims = 0
        self._feed_retention_ms = round(feed_retention_s * 1000)
        self._arrivals = 0
        self._queued: list[Task] = []

    def partition_of(self, id_: str) -> Partition:
        """Return the partition that an id names."""
        return self.partitions[ids.partition_of(id_)]

    def mark(self, number: int) -> PartitionMark:
        """Return how far a partition has come."""
        return PartitionMark(self.incarnation, self.partitions[number].commits)

    def arrival(self) -> int:
        """Return the next number of a counter over all partitions."""
        self._arrivals += 1
        return self._arrivals

    def deliver(self, workflow_id: str, body: bytes, lease: TaskLease | None = None) -> None:
        """Put a message into the inbox of a workflow's partition and wake who reads it."""
        partition = self.partition_of(workflow_id)
        partition.inbox.append(self.arrival(), workflow_id, body, lease)
        partition.readers.wake()

    def feed(
        self, workflow_id: str, kind: Literal["step", "note"], body: bytes, now_ms: int
    ) -> None:
        """Append to the feed of a workflow's partition; entries kept long enough are dropped."""
        partition = self.partition_of(workflow_id)
        partition.fed += 1
        partition.feed[partition.fed] = Fed(self.arrival(), now_ms, workflow_id, kind, body)
        self.trim(partition, now_ms)
        self.feed_readers.wake()

    def trim(self, partition: Partition, now_ms: int) -> None:
        """Drop what a partition's feed has kept long enough."""
        partition.trim(now_ms - self._feed_retention_ms)

    def new_task(self, workflow_id: str, new: NewTask, now_ms: int) -> Task:
        """Make the record of a task that no lane holds yet."""
        return Task(
            new.task_id,
            workflow_id,
            ids.partition_of(workflow_id),
            new.lane,
            new.priority,
            new.timeout_s,
            new.body,
            now_ms,
            self.arrival(),
        )

    def lane_of(self, task: Task) -> Ordered[Task]:
        """Return the lane in which a task queues."""
        lanes = self.lanes.setdefault((task.lane, task.priority), {})
        return lanes.setdefault(task.partition, Ordered())

    def enqueue(self, task: Task) -> None:
        """Put a task into its lane; `tell_of_queued` says so."""
        task.state = "queued"
        self.lane_of(task).put(task, task.place)
        self._queued.append(task)

    def tell_of_queued(self) -> None:
        """Tell who may claim it of each task that was put into its lane and is there still."""
        queued, self._queued = self._queued, []
        for task in queued:
            if task.state == "queued":
                self.listeners.tell(Topic.WAKE, Message(task.workflow_id, task.lane.encode()))

    def withdraw(self, task: Task) -> None:
        """Take a task out of its lane, or its lease out of the watch."""
        if task.state == "queued":
            self.lane_of(task).drop(task)
        elif task.state == "leased":
            self.partitions[task.partition].leases.drop(task)

    def lease(self, task: Task, expires_at_ms: int) -> None:
        """Let a task's lease run until an instant, and wake who watches for lost ones."""
        task.expires_at_ms = expires_at_ms
        partition = self.partitions[task.partition]
        partition.leases.put(task, expires_at_ms)
        partition.readers.wake(expires_at_ms)

    def purge(self, ends: Ordered[str], now_ms: int, remove: Callable[[str], object]) -> None:
        """Remove what has reached the end of its life, some at a time."""
        for _, key in ends.until(now_ms, limit=100):
            ends.drop(key)
            remove(key)

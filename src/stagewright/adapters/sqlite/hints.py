"""What the event loop knows without asking the file: who waits for what, and for how long.

All changes go through this process, so an idle reader sleeps until it is woken. Everything here is
touched on the event loop only, by the effects of committed requests among others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from stagewright.ports.message_bus import EPHEMERAL, Message, Topic
from stagewright.ports.system import IClock

LISTENER_KEEPS = 1_000


@dataclass(eq=False, slots=True)
class Waiter:
    """A reader that sleeps until something happens, at the latest until an instant."""

    until_ms: float
    woken: asyncio.Future[None]

    def wake(self) -> None:
        """Let it go on."""
        if not self.woken.done():
            self.woken.set_result(None)

    def slept(self, sleep: asyncio.Future[None]) -> None:
        """Let it go on because its time is over, or fail as the clock did."""
        if sleep.cancelled() or self.woken.done():
            return
        if (error := sleep.exception()) is not None:
            self.woken.set_exception(error)
        else:
            self.wake()


class Waiters:
    """Readers of one thing (a partition, the feed)."""

    def __init__(self) -> None:
        self._waiting: set[Waiter] = set()

    def wake(self, at_ms: float | None = None) -> None:
        """Wake all, or those who would sleep beyond an instant at which something falls due."""
        for waiter in self._waiting:
            if at_ms is None or at_ms < waiter.until_ms:
                waiter.wake()

    def add(self, waiter: Waiter) -> None:
        """Let a reader be woken."""
        self._waiting.add(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Wake it no more."""
        self._waiting.discard(waiter)


async def wait(clock: IClock, groups: Sequence[Waiters], until_ms: float, delay_s: float) -> None:
    """Return when one of the groups is woken, or after `delay_s`, which ends at `until_ms`."""
    waiter = Waiter(until_ms, asyncio.get_running_loop().create_future())
    sleep = asyncio.ensure_future(clock.sleep(delay_s))
    sleep.add_done_callback(waiter.slept)
    for group in groups:
        group.add(waiter)
    try:
        await waiter.woken
    finally:
        for group in groups:
            group.remove(waiter)
        sleep.cancel()


class Listener:
    """A subscription: what it has not read yet is bounded, the oldest goes first."""

    def __init__(self, topic: Topic, workflow_id: str | None) -> None:
        self.topic, self.workflow_id = topic, workflow_id
        self._unread: deque[Message] = deque(maxlen=LISTENER_KEEPS)
        self._arrived = asyncio.Event()

    def tell(self, message: Message) -> None:
        """Put a message where the reader finds it, if it is for this reader."""
        if self.workflow_id is None or self.workflow_id == message.workflow_id:
            self._unread.append(message)
            self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._unread:
            self._arrived.clear()
            await self._arrived.wait()
        return self._unread.popleft()


@dataclass(slots=True)
class PartitionHints:
    """What is known of one partition."""

    readers: Waiters
    commits: int = 0
    last_position: int = 0
    """Of the newest message ever put into the inbox, as far as it matters: none lies behind it."""
    next_due_ms: float = 0
    """No timer or lease of the partition falls due before this instant."""


class Hints:
    """Everything that wakes and tells."""

    def __init__(self, commits: Sequence[int], last_positions: Mapping[int, int]) -> None:
        self.partitions = [
            PartitionHints(Waiters(), count, last_positions.get(number, 0))
            for number, count in enumerate(commits)
        ]
        self.feed_readers = Waiters()
        self._listeners: dict[Topic, set[Listener]] = {topic: set() for topic in EPHEMERAL}

    def inbox_grew(self, partition: int, position: int) -> None:
        """Messages were put into an inbox, the last at this position."""
        known = self.partitions[partition]
        known.last_position = max(known.last_position, position)
        known.readers.wake()

    def lanes_grew(self, tasks: Iterable[tuple[str, str]]) -> None:
        """Tasks were put into lanes: workflow ids with lanes."""
        self._tell_all((id_, lane.encode()) for id_, lane in tasks)

    def ended(self, workflow_ids: Sequence[str]) -> None:
        """Workflows have ended."""
        for workflow_id in workflow_ids:
            self.tell(Topic.ENDED, Message(workflow_id, b""))

    def falls_due(self, partition: int, at_ms: int) -> None:
        """A timer was set or a lease granted that ends at an instant."""
        known = self.partitions[partition]
        known.next_due_ms = min(known.next_due_ms, at_ms)
        known.readers.wake(at_ms)

    def counted(self, partition: int, commits: int) -> None:
        """A partition has come so far."""
        self.partitions[partition].commits = commits

    def tell(self, topic: Topic, message: Message) -> None:
        """Pass a message to all who listen now."""
        for listener in self._listeners[topic]:
            listener.tell(message)

    def _tell_all(self, hints: Iterable[tuple[str, bytes]]) -> None:
        """Wake a listener once per lane: a commit of 100 tasks is one reason to look, not 100."""
        listeners = self._listeners[Topic.WAKE]
        if not listeners:
            return
        told = [Message(workflow_id, body) for workflow_id, body in hints]
        once = list({message.body: message for message in reversed(told)}.values())
        for listener in listeners:
            for message in once if listener.workflow_id is None else told:
                listener.tell(message)

    def join(self, listener: Listener) -> None:
        """Tell it from now on."""
        self._listeners[listener.topic].add(listener)

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners[listener.topic].discard(listener)

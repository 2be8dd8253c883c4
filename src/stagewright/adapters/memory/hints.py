"""Who waits for what inside the process: readers to be woken, listeners to be told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from stagewright.ports.message_bus import EPHEMERAL, Message, Topic
from stagewright.ports.system import IClock

LISTENER_KEEPS = 1_000


@dataclass(eq=False, slots=True)
class Waiter:
    """A reader that sleeps until something happens, at the latest until an instant."""

    until_ms: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Waiters:
    """Readers of one thing (a partition, the feed)."""

    def __init__(self) -> None:
        self._waiting: dict[Waiter, None] = {}
        """In the order they came, so that a run is the same from one time to the next."""

    def wake(self, at_ms: int | None = None) -> None:
        """Wake all, or those who would sleep beyond an instant at which something falls due."""
        for waiter in self._waiting:
            if at_ms is None or at_ms < waiter.until_ms:
                waiter.woken.set()

    def add(self, waiter: Waiter) -> None:
        """Let a reader be woken."""
        self._waiting[waiter] = None

    def remove(self, waiter: Waiter) -> None:
        """Wake it no more."""
        self._waiting.pop(waiter, None)


async def wait(clock: IClock, groups: Iterable[Waiters], until_ms: int, delay_s: float) -> None:
    """Return when one of the groups is woken, or after `delay_s`, which ends at `until_ms`."""
    waiter = Waiter(until_ms)
    woken = asyncio.ensure_future(waiter.woken.wait())
    slept = asyncio.ensure_future(clock.sleep(delay_s))
    watched = list(groups)
    for group in watched:
        group.add(waiter)
    try:
        await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for group in watched:
            group.remove(waiter)
        woken.cancel()
        slept.cancel()


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


class Listeners:
    """All subscriptions to ephemeral topics."""

    def __init__(self) -> None:
        self._by_topic: dict[Topic, dict[Listener, None]] = {topic: {} for topic in EPHEMERAL}
        """In the order they came."""

    def tell(self, topic: Topic, message: Message) -> None:
        """Pass a message to all who listen now."""
        for listener in self._by_topic[topic]:
            listener.tell(message)

    def join(self, listener: Listener) -> None:
        """Tell it from now on."""
        self._by_topic[listener.topic][listener] = None

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        self._by_topic[listener.topic].pop(listener, None)

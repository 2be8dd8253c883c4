"""Writes the notes of all tasks in batches: a flush is one call, whoever asked for it."""

from __future__ import annotations

import asyncio

from stagewright.application.alarm import Alarm
from stagewright.application.patience import patiently
from stagewright.ports.message_bus import IMessageBus, Message, Topic
from stagewright.ports.system import IClock


class NoteWriter:
    """Notes are durable at the latest when their task's result is published."""

    def __init__(
        self, bus: IMessageBus, clock: IClock, *, delay_s: float = 0.1, batch: int = 256
    ) -> None:
        self._bus, self._clock = bus, clock
        self._delay_s, self._batch = delay_s, batch
        self._pending: list[Message] = []
        self._publishing = asyncio.Lock()
        self._alarm = Alarm(clock)

    async def add(self, message: Message) -> None:
        """Take a note; returns at once unless so many wait that the agent must wait too."""
        self._pending.append(message)
        if len(self._pending) >= self._batch:
            await self.flush()
        elif len(self._pending) == 1:
            self._alarm.ring()

    async def flush(self) -> None:
        """Return when all that was added before is durable, however long the bus is away."""
        await patiently(self._clock, "writing notes", self._publish)

    async def _publish(self) -> None:
        """Publish what is pending; who waited for the lock mostly finds it done."""
        async with self._publishing:
            batch, self._pending = self._pending, []
            if not batch:
                return
            try:
                await self._bus.publish(Topic.NOTES, batch, self._clock.now_ms())
            except BaseException:
                self._pending[:0] = batch
                raise

    async def run(self) -> None:
        """Flush soon after a note was added, so that long tasks can be watched."""
        while True:
            await self._alarm.wait()
            await self._clock.sleep(self._delay_s)
            await self.flush()

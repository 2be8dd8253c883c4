"""Publishes what agents stream, every 250 ms or 500 characters, for all tasks in one call."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from stagewright.application.alarm import Alarm
from stagewright.domain.errors import StagewrightError
from stagewright.ports.message_bus import IMessageBus, Message, Topic
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

DeltaEncoder = Callable[[str], bytes]


class DeltaWriter:
    """Deltas are ephemeral: what cannot be published is dropped."""

    def __init__(self, bus: IMessageBus, clock: IClock, *, delay_s: float = 0.25) -> None:
        self._bus, self._clock, self._delay_s = bus, clock, delay_s
        self._waiting: set[DeltaBuffer] = set()
        self._alarm = Alarm(clock)

    def expect(self, buffer: DeltaBuffer) -> None:
        """See to it that what the buffer holds is published within the delay."""
        if not self._waiting:
            self._alarm.ring()
        self._waiting.add(buffer)

    async def publish(self, buffers: list[DeltaBuffer]) -> None:
        """Publish what the buffers hold now."""
        messages = [message for buffer in buffers for message in buffer.take()]
        self._waiting.difference_update(buffers)
        if not messages:
            return
        try:
            await self._bus.publish(Topic.DELTAS, messages, self._clock.now_ms())
        except StagewrightError as error:
            log.debug("deltas_dropped", count=len(messages), error=str(error))

    async def run(self) -> None:
        """Publish what has waited for the delay."""
        while True:
            await self._alarm.wait()
            await self._clock.sleep(self._delay_s)
            await self.publish(list(self._waiting))


class DeltaBuffer:
    """What one task has streamed and nobody has seen yet."""

    MOST_CHARACTERS = 500

    def __init__(self, writer: DeltaWriter, workflow_id: str, encode: DeltaEncoder) -> None:
        self._writer, self._workflow_id, self._encode = writer, workflow_id, encode
        self._parts: list[str] = []
        self._length = 0

    async def add(self, text: str) -> None:
        """Add text; published at once in pieces when it is much, else soon."""
        self._parts.append(text)
        self._length += len(text)
        if self._length >= self.MOST_CHARACTERS:
            await self.flush()
        else:
            self._writer.expect(self)

    async def flush(self) -> None:
        """Publish what is left."""
        await self._writer.publish([self])

    def take(self) -> list[Message]:
        """Empty the buffer into messages of at most 8,000 characters."""
        text, self._parts, self._length = "".join(self._parts), [], 0
        most = 16 * self.MOST_CHARACTERS
        pieces = (text[start : start + most] for start in range(0, len(text), most))
        return [Message(self._workflow_id, self._encode(piece)) for piece in pieces]

"""Text that agents stream, for those who watch: gathered per task, and kept by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import structlog

from stagewright.application.feed_seat import DELTA, Batch, Word
from stagewright.application.feed_told import Message
from stagewright.domain.errors import StagewrightError
from stagewright.ports.message_bus import IMessageBus, Topic
from stagewright.ports.message_bus import Message as Heard
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

EVERY_S = 0.25
MOST_CHARACTERS = 500
MOST_TASKS = 1_000
"""Tasks that are gathered at once; what is streamed beyond them is not shown."""
PAUSE_S = 1.0

Tell = Callable[[Batch, str | None], None]


class Deltas:
    """Listens once for each workflow that is watched, and once for all of them together."""

    def __init__(self, bus: IMessageBus, clock: IClock, tell: Tell) -> None:
        self._bus, self._clock, self._tell = bus, clock, tell
        self._watched: dict[str | None, tuple[int, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def watched(self, workflow_id: str | None) -> AsyncIterator[None]:
        """Tell what one workflow streams, or all of them, until the block is left."""
        count, task = self._watched.get(workflow_id, (0, None))
        task = task or asyncio.create_task(self._listen(workflow_id))
        self._watched[workflow_id] = (count + 1, task)
        try:
            yield
        finally:
            await self._leave(workflow_id)

    async def _leave(self, workflow_id: str | None) -> None:
        count, task = self._watched[workflow_id]
        self._watched[workflow_id] = (count - 1, task)
        if count == 1:
            del self._watched[workflow_id]
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self, workflow_id: str | None) -> None:
        gathered = Gathered(lambda batch: self._tell(batch, workflow_id))
        while True:
            try:
                async with self._bus.subscribe(Topic.DELTAS, workflow_id) as heard:
                    await self._gather(heard, gathered)
            except StagewrightError as error:
                log.debug("deltas_not_heard", error=str(error))
                await self._clock.sleep(PAUSE_S)

    async def _gather(self, heard: AsyncIterator[Heard], gathered: Gathered) -> None:
        flushing: asyncio.Task[None] | None = None
        try:
            async for message in heard:
                gathered.add(message)
                if gathered.waiting and (flushing is None or flushing.done()):
                    flushing = asyncio.create_task(self._flush_soon(gathered))
        finally:
            if flushing is not None:
                flushing.cancel()

    async def _flush_soon(self, gathered: Gathered) -> None:
        await self._clock.sleep(EVERY_S)
        gathered.flush()


class Gathered:
    """What tasks have streamed since the last time."""

    def __init__(self, tell: Callable[[Batch], None]) -> None:
        self._tell = tell
        self._texts: dict[str, list[str]] = {}
        self._newest: dict[str, tuple[str, Mapping[str, Any]]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something waits to be told."""
        return bool(self._texts)

    def add(self, message: Heard) -> None:
        """Take one delta; tell at once what has become much."""
        try:
            said = orjson.loads(message.body)
            task, text = str(said["task"]), str(said["text"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        if task not in self._texts and len(self._texts) >= MOST_TASKS:
            return
        self._texts.setdefault(task, []).append(text)
        self._newest[task] = (message.workflow_id, said)
        if sum(map(len, self._texts[task])) >= MOST_CHARACTERS:
            self._tell(Batch(Word.EPHEMERAL, messages=[self._take(task)]))

    def flush(self) -> None:
        """Tell everything that waits."""
        if self._texts:
            self._tell(Batch(Word.EPHEMERAL, messages=[self._take(one) for one in [*self._texts]]))

    def _take(self, task: str) -> Message:
        workflow_id, said = self._newest.pop(task)
        body = {
            "workflow_id": workflow_id,
            "task": task,
            "stage": said.get("stage"),
            "number": said.get("number"),
            "text": "".join(self._texts.pop(task)),
        }
        return Message(DELTA, orjson.dumps(body))

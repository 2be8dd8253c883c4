"""Streams of events for those who follow: all workflows, or one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.feed_deltas import Deltas
from stagewright.application.feed_hub import PAGE, Hub
from stagewright.application.feed_overview import Overview
from stagewright.application.feed_places import FeedPlace, LogPlace
from stagewright.application.feed_seat import Batch, Seat, Word
from stagewright.application.feed_told import Chunk, Message, Told
from stagewright.application.feed_words import closed, gap, message
from stagewright.application.feed_workflow import WorkflowStream
from stagewright.domain.errors import CursorExpired
from stagewright.ports.backend import Backend
from stagewright.ports.control import IQueries
from stagewright.ports.live import HEARTBEAT, NOW, START, LiveMessage, Wanted
from stagewright.ports.system import IClock

CATCHING_UP = 8
"""Readers that read the feed on their own at the same time; others wait for their turn."""
EVERYTHING = Wanted()
OPENED = Chunk()
"""Says that a stream has begun."""


class LiveEvents:
    """Implements `ILive` over a backend; chunks are for those who put many readers on a wire."""

    def __init__(
        self, backend: Backend, catalog: Catalog, clock: IClock, queries: IQueries
    ) -> None:
        self._backend, self._catalog = backend, catalog
        self.hub = Hub(backend, clock)
        self._deltas = Deltas(backend.bus, clock, self.hub.tell)
        self._overview = Overview(queries, clock, self.hub)
        self._turns = asyncio.Semaphore(CATCHING_UP)

    async def events(self, wanted: Wanted, after: str | None = None) -> AsyncGenerator[LiveMessage]:
        """Follow all workflows; see `ILive`."""
        async with aclosing(self.chunks(wanted, after)) as chunks:
            async for chunk in chunks:
                for one in _read(chunk):
                    yield one

    async def workflow_events(
        self, workflow_id: str, after: str | None = None, wanted: Wanted | None = None
    ) -> AsyncGenerator[LiveMessage]:
        """Follow one workflow; see `ILive`."""
        async with aclosing(self.workflow_chunks(workflow_id, after, wanted)) as chunks:
            async for chunk in chunks:
                for one in _read(chunk):
                    yield one

    def stop(self) -> None:
        """End all streams, saying why: the server goes away."""
        self.hub.stop()

    async def chunks(self, wanted: Wanted, after: str | None = None) -> AsyncGenerator[Chunk]:
        """Follow all workflows; the first chunk comes when the position was found to be one."""
        place = FeedPlace.parse(after or NOW)
        seat = Seat(wanted.workflow_ids)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.hub.seated(seat))
            for watched in wanted.workflow_ids or (None,) if wanted.deltas else ():
                await stack.enter_async_context(self._deltas.watched(watched))
            await stack.enter_async_context(self._overview.watched())
            begin = self._begin() if place.cursor == NOW else self._behind(seat, place, wanted)
            position = ""
            async with aclosing(begin):
                async for chunk in begin:
                    position = _position(chunk) or position
                    yield chunk
            async with aclosing(self._live(seat, wanted, position)) as live:
                async for chunk in live:
                    yield chunk

    async def _begin(self) -> AsyncGenerator[Chunk]:
        """Say where the reader stands and how things are."""
        cursor = self.hub.cursor
        yield Chunk([message("snapshot", await self._overview.now(), cursor)])

    async def _behind(self, seat: Seat, place: FeedPlace, wanted: Wanted) -> AsyncGenerator[Chunk]:
        """Tell what came behind a position, up to where the hub goes on."""
        try:
            reading = self._up_to_the_hub(seat, place)
            first: list[Told] | None = await anext(reading, None)
            yield OPENED
            while first is not None:
                yield _chunk_of(first, place, wanted)
                first = await anext(reading, None)
        except CursorExpired as error:
            cursor = await self.hub.caught_up(seat)
            overview = message("snapshot", await self._overview.now(), cursor)
            yield Chunk([gap(error.message), overview])

    async def _up_to_the_hub(self, seat: Seat, place: FeedPlace) -> AsyncGenerator[list[Told]]:
        cursor = place.cursor
        if cursor == START:
            _, cursor = await self._backend.bus.replay(None, 0)
        while True:
            until = await self.hub.caught_up(seat)
            while True:
                async with self._turns:
                    begun = cursor
                    entries, cursor = await self._backend.bus.replay(begun, PAGE, until=until)
                    told = await self.hub.told(entries, begun)
                if not entries:
                    break
                yield told
            if not seat.lost:
                return

    async def _live(self, seat: Seat, wanted: Wanted, position: str) -> AsyncGenerator[Chunk]:
        while True:
            batch = await seat.next()
            if batch is None or batch.word is Word.STOP:
                yield Chunk([closed("slow" if batch is None else "stopping", position)])
                return
            chunk = await self._chunk(batch, wanted)
            if chunk.messages:
                position = _position(chunk) or position
                yield chunk

    async def _chunk(self, batch: Batch, wanted: Wanted) -> Chunk:
        if batch.word is Word.GAP:
            now = await self._overview.now()
            return Chunk([gap(), message("snapshot", now, batch.cursor)])
        return batch.chunk(wanted)

    async def workflow_chunks(
        self, workflow_id: str, after: str | None = None, wanted: Wanted | None = None
    ) -> AsyncGenerator[Chunk]:
        """Follow one workflow. Nothing at all comes when the position is behind its `end`."""
        wanted = wanted or EVERYTHING
        place, seat = LogPlace.parse(after), Seat(frozenset({workflow_id}))
        stream = WorkflowStream(self._backend, self._catalog, self.hub, workflow_id, wanted)
        await stream.exists()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.hub.seated(seat))
            if wanted.deltas:
                await stack.enter_async_context(self._deltas.watched(workflow_id))
            async with aclosing(stream.chunks(seat, place)) as chunks:
                async for chunk in chunks:
                    yield chunk


def _chunk_of(told: list[Told], place: FeedPlace, wanted: Wanted) -> Chunk:
    """Return what a reader at `place` has not been told; the first step may be told in part."""
    messages: list[Message] = []
    for one in told:
        here = (one.workflow_id, one.step) == (place.workflow_id, place.step)
        messages += one.messages(wanted, place.part if here else 0)
    if told and not messages:
        messages.append(Message(HEARTBEAT, id=told[-1].cursor))
    return Chunk(messages)


def _position(chunk: Chunk) -> str | None:
    return next((one.id for one in reversed(chunk.messages) if one.id is not None), None)


def _read(chunk: Chunk) -> list[LiveMessage]:
    return [
        LiveMessage(one.event, orjson.loads(one.body or b"{}"), one.id) for one in chunk.messages
    ]

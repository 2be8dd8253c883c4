"""The hub when things go wrong: a store that is away, a feed that is lost, readers who are slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import pytest

from stagewright.adapters.memory import open_backend
from stagewright.application.feed_deltas import EVERY_S, Gathered
from stagewright.application.feed_hub import HEARTBEAT_S, PAUSE_S
from stagewright.application.feed_seat import MOST_BATCHES, Batch, Seat, Word
from stagewright.application.feed_told import Chunk, Message
from stagewright.domain.errors import CursorExpired, Unreachable
from stagewright.ports.backend import BackendOptions
from stagewright.ports.live import Wanted
from stagewright.ports.message_bus import Message as Heard
from stagewright.ports.message_bus import Topic
from stagewright.testing.clock import VirtualClock, settle
from stagewright.testing.contracts.live_events import Desk, places, take, texts


class Unreliable:
    """A bus whose feed fails when told to."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.failures: list[Exception] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def replay(self, cursor: str | None, *args: Any, **options: Any) -> Any:
        if self.failures and cursor not in {None, "now"}:
            raise self.failures.pop()
        return await self._bus.replay(cursor, *args, **options)


class Meanwhile:
    """A store beside which something happens just before notes are read."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.happens: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def log(self, workflow_id: str, which: str = "steps", *rest: Any) -> Any:
        if which == "notes" and self.happens is not None:
            happens, self.happens = self.happens, None
            await happens()
        return await self._store.log(workflow_id, which, *rest)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = VirtualClock()
    async with open_backend("memory://", BackendOptions(partitions=2), clock) as backend:
        wrapped = replace(backend, bus=Unreliable(backend.bus), store=Meanwhile(backend.store))
        yield Desk(wrapped, clock)


def fail(desk: Desk, *errors: Exception) -> None:
    desk.bus._bus.failures[:] = errors


async def test_a_store_that_is_away_for_a_while_costs_no_event(desk: Desk) -> None:
    id_ = await desk.start()
    stream = desk.live.events(Wanted())
    await anext(stream)
    fail(desk, Unreachable("store"), Unreachable("store"))
    await desk.steps(id_, 2)
    await desk.clock.advance(3 * PAUSE_S)
    assert places(await take(stream, 2)) == (await desk.logged(id_))[-2:]


async def test_a_feed_that_lost_its_place_is_a_gap_for_all_and_none_for_a_whole_log(
    desk: Desk,
) -> None:
    id_ = await desk.start()
    everything, one = desk.live.events(Wanted()), desk.live.workflow_events(id_)
    await anext(everything)
    heard = [await anext(one), await anext(one)]
    fail(desk, CursorExpired("old"))
    await desk.steps(id_, 1)
    assert [m.event for m in await take(everything, 2)] == ["gap", "snapshot"]
    await desk.steps(id_, 1)
    heard += await take(one, 2)
    assert places(heard) == await desk.logged(id_)


async def test_what_happens_while_a_reader_joins_comes_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await desk.start()
    (begin,) = await take(desk.live.events(Wanted()), 1)
    hub, caught_up = desk.live.hub, desk.live.hub.caught_up

    async def busily(seat: Seat) -> str:
        await desk.steps(id_, 1)
        await settle()  # the hub has put it before the reader, who will read it as well
        until = await caught_up(seat)
        await desk.steps(id_, 1)
        await settle()
        return until

    monkeypatch.setattr(hub, "caught_up", busily)
    stream = desk.live.events(Wanted(), begin.id)
    heard = [await anext(stream), await anext(stream)]
    await desk.steps(id_, 1)
    heard += [await anext(stream)]
    assert places(heard) == (await desk.logged(id_))[-3:]
    more = asyncio.ensure_future(anext(stream))
    await settle()
    assert not more.done()
    more.cancel()
    await asyncio.wait({more})


async def test_a_note_that_is_both_read_and_told_comes_once(desk: Desk) -> None:
    id_ = await desk.start()

    async def noted() -> None:
        await desk.note(id_, "while")
        await settle()  # the hub has put it before the reader

    store: Any = desk.backend.store
    store.happens = noted
    heard = await take(desk.live.workflow_events(id_), 3)
    assert texts(heard) == ["while"]
    store.happens = noted
    stream = desk.live.workflow_events(id_)
    heard = [await anext(stream) for _ in range(4)]
    await desk.note(id_, "last")
    heard += await take(stream, 1)
    assert texts(heard) == ["while", "while", "last"]


async def test_an_entry_that_nobody_can_read_stops_nobody(desk: Desk) -> None:
    id_ = await desk.start()
    stream = desk.live.events(Wanted())
    await anext(stream)
    await desk.backend.bus.publish(Topic.NOTES, [Heard(id_, b"\xff")], desk.clock.now_ms())
    await desk.steps(id_, 1)
    assert places(await take(stream, 1)) == (await desk.logged(id_))[-1:]


async def test_a_heartbeat_moves_a_reader_whose_filter_lets_nothing_through(desk: Desk) -> None:
    id_ = await desk.start()
    stream = desk.live.events(Wanted(kinds=frozenset({"WORKFLOW_FAILED"})))
    begin = await anext(stream)
    await desk.steps(id_, 2)
    await desk.clock.advance(HEARTBEAT_S + 1)
    (beat,) = await take(stream, 1)
    assert beat.event == "heartbeat"
    assert beat.id not in {None, begin.id}
    assert not [m async for m in _rest(desk, beat.id)]


async def _rest(desk: Desk, after: str | None) -> AsyncIterator[Any]:
    async with aclosing(desk.live.events(Wanted(), after)) as stream:
        hearing = asyncio.ensure_future(anext(stream))
        await desk.clock.advance(1)
        if hearing.done():
            yield hearing.result()
        hearing.cancel()
        await asyncio.wait({hearing})


def test_a_seat_lets_go_of_everything_when_it_is_too_much() -> None:
    seat = Seat()
    for _ in range(MOST_BATCHES + 1):
        seat.put(Batch(Word.EVENTS))
    assert seat.lost
    seat.clear()
    assert not seat.lost


def test_readers_of_a_chunk_share_its_bytes() -> None:
    calls: list[Message] = []

    def form(message: Message) -> bytes:
        calls.append(message)
        return message.body

    chunk = Chunk([Message("a", b"1"), Message("b", b"2")])
    assert chunk.wire(form) is chunk.wire(form)
    assert len(calls) == 2


def test_readers_who_want_the_same_share_a_chunk() -> None:
    batch = Batch(Word.EPHEMERAL, messages=[Message("delta", b"{}"), Message("health", b"{}")])
    assert batch.chunk(Wanted()) is batch.chunk(Wanted())
    assert [one.event for one in batch.chunk(Wanted()).messages] == ["health"]
    assert len(batch.chunk(Wanted(deltas=True)).messages) == 2


def test_streamed_text_is_gathered_by_task_and_told_at_once_when_it_is_much() -> None:
    told: list[Batch] = []
    gathered = Gathered(told.append)
    for text in ("a" * 200, "b" * 200, "c" * 200):
        gathered.add(Heard("p00-1", orjson.dumps({"task": "t", "text": text, "number": 1})))
    gathered.add(Heard("p00-1", b"no json"))
    gathered.add(Heard("p00-1", orjson.dumps({"task": "u", "text": "rest"})))
    assert [len(orjson.loads(batch.messages[0].body)["text"]) for batch in told] == [600]
    gathered.flush()
    assert orjson.loads(told[-1].messages[0].body)["text"] == "rest"
    assert not gathered.waiting
    assert EVERY_S == 0.25

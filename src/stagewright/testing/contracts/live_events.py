"""What live events must do, over every backend."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from stagewright.application.control import Control
from stagewright.domain.errors import CursorInvalid, WorkflowNotFound
from stagewright.ports.backend import Backend
from stagewright.ports.control import CommandRequest, RegisterRequest, StartRequest
from stagewright.ports.live import LiveMessage, Wanted
from stagewright.ports.message_bus import FeedEntry, Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import FEED_RETENTION_S, at_once
from stagewright.testing.contracts.samples import workflow
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom

JOB = {
    "name": "job",
    "version": "1.0.0",
    "stages": [{"name": "until", "kind": "wait", "signal": "go"}],
}
Stream = AsyncGenerator[LiveMessage]


class Counting:
    """A bus that counts how often the feed is read."""

    def __init__(self, bus: Any) -> None:
        self._bus, self.reads = bus, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def replay(self, *args: Any, **options: Any) -> tuple[list[FeedEntry], str]:
        self.reads += 1
        found: tuple[list[FeedEntry], str] = await self._bus.replay(*args, **options)
        return found


class Desk:
    """One server of an installation, with people who steer through it."""

    def __init__(self, backend: Backend, clock: VirtualClock) -> None:
        self.bus = Counting(backend.bus)
        self.backend = replace(backend, bus=self.bus)
        self.clock = clock
        parts = (clock, SeededIdentifiers(id(self), clock), SeededRandom())
        self.control = Control(self.backend, *parts)
        self.live = self.control.live

    async def start(self, **fields: Any) -> str:
        """Start a workflow that waits for a signal; its log has one step."""
        await self.control.commands.register(RegisterRequest(definition=JOB))
        request = StartRequest(definition="job", **fields)
        return (await self.control.commands.start(request)).workflow_id

    async def steps(self, workflow_id: str, count: int) -> None:
        """Take some more steps."""
        for _ in range(count):
            paused = (await self.control.queries.show(workflow_id)).status == "paused"
            await self.command(workflow_id, "resume" if paused else "pause")

    async def command(self, workflow_id: str, kind: str, **fields: Any) -> None:
        """Steer a workflow."""
        request = CommandRequest.model_validate({"kind": kind, "by": "ann", **fields})
        await self.control.commands.command(workflow_id, request)

    async def note(self, workflow_id: str, *texts: str) -> None:
        """Note something, as agents do."""
        bodies = [{"kind": "log", "text": text, "at_ms": self.clock.now_ms()} for text in texts]
        messages = [Message(workflow_id, orjson.dumps(body)) for body in bodies]
        await self.backend.bus.publish(Topic.NOTES, messages, self.clock.now_ms())

    async def logged(self, workflow_id: str) -> list[tuple[int, int, str]]:
        """Return what the log says: step, part and kind of each event."""
        page = await self.control.queries.log(workflow_id)
        return [
            (record["n"], part, event["type"])
            for record in page.records
            for part, event in enumerate(record.get("events", ()), start=1)
        ]


async def take(stream: Stream, count: int) -> list[LiveMessage]:
    """Return so many messages and leave the stream."""
    found: list[LiveMessage] = []
    async with aclosing(stream):
        while len(found) < count:
            with suppress(StopAsyncIteration):
                found.append(await at_once(anext(stream)))
                continue
            break
    return found


def places(messages: list[LiveMessage]) -> list[tuple[int, int, str]]:
    """Return step, part and kind of events; what is said besides is left out."""
    return [
        (one.data["step"], one.data["part"], one.event) for one in messages if "part" in one.data
    ]


def texts(messages: list[LiveMessage]) -> list[str]:
    """Return the texts of notes."""
    return [one.data["text"] for one in messages if one.event == "AGENT_LOGGED"]


class LiveEventsContract:
    """Each event once, in order, from wherever a reader left off."""

    async def test_a_workflow_is_told_from_its_beginning_to_its_end(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await desk.steps(id_, 3)
        stream = desk.live.workflow_events(id_)
        history = [await at_once(anext(stream)) for _ in await desk.logged(id_)]
        await desk.command(id_, "cancel")
        rest = await take(stream, 10)
        assert places([*history, *rest]) == await desk.logged(id_)
        assert rest[-1].event == "end"
        assert rest[-1].data["status"] == "cancelled"

    async def test_who_leaves_after_each_event_hears_each_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        one, two = Desk(backend, clock), Desk(backend, clock)
        id_ = await one.start()
        heard: list[LiveMessage] = []
        for turn in range(12):
            await one.steps(id_, 2)
            desk = (one, two)[turn % 2]
            while len(places(heard)) < len(await one.logged(id_)):
                after = heard[-1].id if heard else None
                heard += await take(desk.live.workflow_events(id_, after), 1)
        assert places(heard) == await one.logged(id_)

    async def test_who_leaves_the_global_stream_hears_each_event_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        one, two = Desk(backend, clock), Desk(backend, clock)
        heard = await take(one.live.events(Wanted()), 1)
        ids = [await one.start(key=str(number)) for number in range(4)]
        for turn in range(12):
            await one.steps(ids[turn % 4], 2)
            wanted = sum([len(await one.logged(id_)) for id_ in ids])
            desk = (one, two)[turn % 2]
            while len(places(heard)) < wanted:
                heard += await take(desk.live.events(Wanted(), heard[-1].id), 1)
        for id_ in ids:
            mine = [each for each in heard if each.data.get("workflow_id") == id_]
            assert places(mine) == await one.logged(id_)

    async def test_a_reader_who_comes_late_and_stays_misses_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        (begin,) = await take(desk.live.events(Wanted()), 1)
        id_ = await desk.start()
        await desk.steps(id_, 6)
        other = desk.live.events(Wanted())
        await at_once(anext(other))  # the hub stands further than the reader who comes now
        stream = desk.live.events(Wanted(), begin.id)
        heard = [await at_once(anext(stream)) for _ in range(4)]
        await desk.steps(id_, 4)
        heard += await take(stream, len(await desk.logged(id_)) - 4)
        await other.aclose()
        assert places(heard) == await desk.logged(id_)

    async def test_notes_are_told_once_however_often_a_reader_leaves(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        heard = await take(desk.live.workflow_events(id_), len(await desk.logged(id_)))
        for number in range(6):
            await desk.note(id_, f"a{number}", f"b{number}")
            await desk.steps(id_, 1)
            for _ in range(3):
                heard += await take(desk.live.workflow_events(id_, heard[-1].id), 1)
        assert texts(heard) == [f"{which}{number}" for number in range(6) for which in "ab"]
        assert places(heard) == await desk.logged(id_)

    async def test_what_is_noted_while_a_reader_reads_comes_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await desk.note(id_, "before")
        stream = desk.live.workflow_events(id_)
        heard = [await at_once(anext(stream))]
        await desk.note(id_, "while")  # the hub tells it, and perhaps the store as well
        await desk.note(id_, "after")
        await desk.command(id_, "cancel")
        heard += await take(stream, 20)
        assert texts(heard) == ["before", "while", "after"]

    async def test_a_reader_at_the_end_is_told_the_end_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await desk.command(id_, "cancel")
        heard = await take(desk.live.workflow_events(id_), 100)
        again = await take(desk.live.workflow_events(id_, heard[-2].id), 100)
        assert [one.event for one in again] == ["end"]
        assert await take(desk.live.workflow_events(id_, heard[-1].id), 100) == []

    async def test_a_trimmed_position_is_a_gap_and_then_a_snapshot(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        (begin,) = await take(desk.live.events(Wanted()), 1)
        id_ = await desk.start()
        await clock.advance(FEED_RETENTION_S + 120)
        await desk.steps(id_, 1)
        stream = desk.live.events(Wanted(), begin.id)
        first, second = await at_once(anext(stream)), await at_once(anext(stream))
        assert (first.event, second.event) == ("gap", "snapshot")
        assert first.id is None
        assert second.data["counts"]
        await desk.steps(id_, 2)
        assert places(await take(stream, 2)) == (await desk.logged(id_))[-2:]

    async def test_a_position_of_another_history_is_a_gap_and_then_a_snapshot(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await desk.steps(id_, 3)
        for position in ("2-ffffffff", "99"):
            gap, snapshot = await take(desk.live.workflow_events(id_, position), 2)
            assert (gap.event, snapshot.event) == ("gap", "snapshot")
            assert snapshot.data["step"] == 4
            assert (snapshot.id or "").startswith("4-")

    @pytest.mark.parametrize("position", ["nonsense", "x!y", "a!b!0!1", "1.", "-1", "1" * 9_000])
    async def test_what_was_never_a_position_is_refused(
        self, backend: Backend, clock: VirtualClock, position: str
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        for stream in (
            desk.live.events(Wanted(), position),
            desk.live.workflow_events(id_, position),
        ):
            with pytest.raises(CursorInvalid):
                await at_once(anext(stream))

    async def test_an_unknown_workflow_is_not_found(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        with pytest.raises(WorkflowNotFound):
            await at_once(anext(desk.live.workflow_events(workflow(7))))

    async def test_many_readers_at_the_head_cost_as_much_as_one(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        costs: list[int] = []
        for readers in (1, 15):
            streams = [desk.live.events(Wanted()) for _ in range(readers)]
            for stream in streams:
                await at_once(anext(stream))
            before = desk.bus.reads
            await desk.command(id_, "resume" if costs else "pause")
            heard = [await at_once(anext(stream)) for stream in streams]
            costs.append(desk.bus.reads - before)
            for stream in streams:
                await stream.aclose()
            assert len({one.id for one in heard}) == 1
        assert max(costs) <= 3  # what was told, the next wait, and at most one look between

    async def test_nobody_listening_reads_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await take(desk.live.events(Wanted()), 1)
        before = desk.bus.reads
        await desk.steps(id_, 4)
        await clock.advance(120)
        assert desk.bus.reads == before

    async def test_ids_rise_with_the_order_in_which_a_workflow_is_told(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        desk = Desk(backend, clock)
        id_ = await desk.start()
        await desk.steps(id_, 5)
        heard = await take(desk.live.workflow_events(id_), len(await desk.logged(id_)))
        assert len({one.id for one in heard}) == len(heard)
        assert all(a < b for a, b in pairwise(places(heard)))

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from stagewright.application.context import (
    AgentContext,
    Bounds,
    Channels,
    SyncAgentContext,
)
from stagewright.application.context_facts import Feedback
from stagewright.application.notes import MAX_TEXT, MAX_VALUE_BYTES
from stagewright.application.runner_deltas import DeltaWriter
from stagewright.application.runner_notes import NoteWriter
from stagewright.domain.errors import LimitExceeded, ValidationFailed
from stagewright.domain.ids import TaskId
from stagewright.ports.message_bus import Topic
from stagewright.testing.contracts import samples
from tests.unit.application.runners import WORKFLOW, World, opened

TASK = TaskId(WORKFLOW, "build", 2, 3)


class Desk:
    """A context and what comes out of it."""

    def __init__(self, world: World, bounds: Bounds | None = None) -> None:
        self.world = world
        bus, clock = world.backend.bus, world.clock
        self.deltas = DeltaWriter(bus, clock)
        self.channels = Channels(
            NoteWriter(bus, clock), self.deltas, world.backend.blobs, clock, world.ids,
            bounds or Bounds(),
        )  # fmt: skip
        self.ctx = AgentContext(self.channels, TASK, {"n": 1})

    async def notes(self) -> list[dict[str, Any]]:
        await self.ctx.close()
        return await self.world.notes()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one:
        await samples.committed(one.backend, one.clock, samples.start(WORKFLOW))
        yield one


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def test_the_context_names_the_visit_and_not_the_attempt_in_its_key(desk: Desk) -> None:
    ctx = desk.ctx
    assert (ctx.workflow_id, ctx.stage, ctx.visit, ctx.attempt) == TASK
    assert ctx.idempotency_key == f"{WORKFLOW}/build/2"
    assert (ctx.input, ctx.feedback, ctx.traceparent, ctx.cancelled) == ({"n": 1}, (), None, False)


async def test_a_log_line_is_a_note_of_the_workflow(desk: Desk) -> None:
    await desk.ctx.log("building", level="warning", files=3)
    assert await desk.notes() == [
        {
            "kind": "log",
            "task": str(TASK),
            "stage": "build",
            "visit": 2,
            "attempt": 3,
            "number": 1,
            "at_ms": desk.world.clock.now_ms(),
            "level": "warning",
            "message": "building",
            "fields": {"files": 3},
        }
    ]


async def test_a_tools_result_names_its_call(desk: Desk) -> None:
    call = await desk.ctx.tool_call("ruff", {"path": "."})
    await desk.ctx.tool_result(call, {"errors": 0})
    await desk.ctx.tool_result("other", error="not found")
    called, answered, failed = await desk.notes()
    assert (called["kind"], called["name"], called["arguments"]) == (
        "tool_call", "ruff", {"path": "."},
    )  # fmt: skip
    assert (answered["call"], answered["result"]) == (called["call"], {"errors": 0})
    assert (failed["kind"], failed["error"]) == ("tool_result", "not found")
    assert "error" not in answered


async def test_long_texts_are_cut_and_big_values_only_measured(desk: Desk) -> None:
    await desk.ctx.log("x" * 10_000, data="y" * 10_000, odd={1, 2})
    await desk.ctx.tool_call("t\ud800", "z" * 10_000)
    logged, called = await desk.notes()
    assert logged["message"] == "x" * MAX_TEXT + "... (10000 characters)"
    assert len(logged["fields"]) <= MAX_TEXT + 30
    assert called["arguments"]["omitted_bytes"] > MAX_VALUE_BYTES
    assert called["name"] == "t?"


async def test_an_artifact_is_kept_and_noted(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"all good")
    kept = await desk.ctx.artifact("report", path)
    same = await desk.ctx.artifact("again", b"all good")
    assert (kept.name, kept.bytes, kept.hash) == ("report", 8, same.hash)
    assert await desk.world.backend.blobs.get(WORKFLOW, kept.hash) == b"all good"
    noted, _ = await desk.notes()
    assert (noted["kind"], noted["name"], noted["hash"], noted["bytes"]) == (
        "artifact", "report", kept.hash, 8,
    )  # fmt: skip


async def test_artifacts_are_bounded_in_size_and_number(world: World, tmp_path: Path) -> None:
    ctx = Desk(world, Bounds(artifacts=3, artifact_bytes=4)).ctx
    path = tmp_path / "big"
    path.write_bytes(b"12345")
    with pytest.raises(LimitExceeded, match="artifact 'a' is 5, the limit is 4"):
        await ctx.artifact("a", b"12345")
    with pytest.raises(LimitExceeded, match="artifact 'b' is 5, the limit is 4"):
        await ctx.artifact("b", str(path))
    await ctx.artifact("c", b"1234")
    with pytest.raises(LimitExceeded, match="Pack them"):
        await ctx.artifact("d", b"1")


async def test_notes_are_bounded_in_number_with_one_last_word(world: World) -> None:
    desk = Desk(world, Bounds(notes=3))
    for number in range(10):
        await desk.ctx.log(str(number))
    await desk.ctx.artifact("still", b"kept")
    kinds = [note["kind"] for note in await desk.notes()]
    assert kinds == ["log", "log", "log", "truncated", "artifact"]


async def test_notes_are_bounded_in_bytes_with_one_last_word(world: World) -> None:
    desk = Desk(world, Bounds(note_bytes=5_000))
    for _ in range(10):
        await desk.ctx.log("x" * 2_000)
    kinds = [note["kind"] for note in await desk.notes()]
    assert kinds == ["log", "log", "log", "truncated"]


async def test_what_is_told_after_the_end_is_dropped(desk: Desk) -> None:
    await desk.ctx.log("in time")
    await desk.ctx.close()
    await desk.ctx.log("too late")
    await desk.ctx.delta("too late")
    assert len(await desk.notes()) == 1


async def test_usage_must_be_a_number_from_zero(desk: Desk) -> None:
    for wrong in (-1, float("nan"), float("inf"), "many", True):
        with pytest.raises(ValidationFailed, match="usage input_tokens"):
            desk.ctx.use(input_tokens=wrong)
    assert desk.ctx.usage == {}


async def test_usage_is_bounded_in_its_figures(desk: Desk) -> None:
    with pytest.raises(ValidationFailed, match="at most 24"):
        desk.ctx.use(**{f"n{number}": 1 for number in range(25)})
    with pytest.raises(ValidationFailed, match="at most 64 characters"):
        desk.ctx.use(**{"x" * 65: 1})


# --- deltas -----------------------------------------------------------------------------------


class Watcher:
    """Someone who watches deltas."""

    def __init__(self, world: World) -> None:
        self.texts: list[str] = []
        self.numbers: list[int] = []
        self._world = world

    async def watch(self) -> None:
        async with self._world.backend.bus.subscribe(Topic.DELTAS, WORKFLOW) as messages:
            async for message in messages:
                body = orjson.loads(message.body)
                self.texts.append(body["text"])
                self.numbers.append(body["number"])


@pytest.fixture
async def watcher(desk: Desk) -> AsyncIterator[Watcher]:
    watcher = Watcher(desk.world)
    duties = [asyncio.create_task(watcher.watch()), asyncio.create_task(desk.deltas.run())]
    await desk.world.clock.advance(0)
    yield watcher
    for duty in duties:
        duty.cancel()
    await asyncio.gather(*duties, return_exceptions=True)


async def test_deltas_are_shown_after_a_quarter_second(desk: Desk, watcher: Watcher) -> None:
    await desk.ctx.delta("Hel")
    await desk.ctx.delta("lo")
    await desk.world.clock.advance(0.24)
    assert watcher.texts == []
    await desk.world.clock.advance(0.01)
    assert watcher.texts == ["Hello"]
    await desk.ctx.delta(" again")
    await desk.world.clock.advance(0.25)
    assert watcher.texts == ["Hello", " again"]
    assert watcher.numbers == [1, 2]


async def test_many_characters_are_shown_at_once(desk: Desk, watcher: Watcher) -> None:
    await desk.ctx.delta("x" * 499)
    await desk.world.clock.advance(0)
    assert watcher.texts == []
    await desk.ctx.delta("y")
    await desk.world.clock.advance(0)
    assert watcher.texts == ["x" * 499 + "y"]


async def test_the_last_deltas_are_shown_at_the_end(desk: Desk, watcher: Watcher) -> None:
    await desk.ctx.delta("bye")
    await desk.ctx.delta("")
    await desk.ctx.close()
    await desk.world.clock.advance(0.5)
    assert watcher.texts == ["bye"]


async def test_a_flood_is_cut_into_messages(desk: Desk, watcher: Watcher) -> None:
    await desk.ctx.delta("x" * 20_000)
    await desk.world.clock.advance(0)
    assert [len(text) for text in watcher.texts] == [8_000, 8_000, 4_000]


# --- threads ----------------------------------------------------------------------------------


async def test_a_thread_tells_without_await(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def work(ctx: SyncAgentContext) -> list[Any]:
        ctx.log("hello")
        ctx.tool_result(ctx.tool_call("tool"), "fine")
        ctx.delta("some")
        ctx.use(input_tokens=1)
        kept = ctx.artifact("a", path)
        return [threading.current_thread() is threading.main_thread(), kept.bytes, ctx.stage]

    assert await asyncio.to_thread(work, desk.ctx.sync) == [False, 1, "build"]
    assert desk.ctx.usage == {"input_tokens": 1}
    kinds = [note["kind"] for note in await desk.notes()]
    assert kinds == ["log", "tool_call", "tool_result", "artifact"]


async def test_a_thread_sees_that_it_is_cancelled(desk: Desk) -> None:
    sync = desk.ctx.sync
    assert not sync.cancelled
    desk.ctx.cancel()
    assert sync.cancelled


async def test_a_thread_knows_the_same_facts(world: World) -> None:
    said = (Feedback("validation", 1, "rework", (), None),)
    ctx = AgentContext(Desk(world).channels, TASK, 1, said, "trace")
    assert (ctx.sync.feedback, ctx.sync.input, ctx.sync.traceparent) == (said, 1, "trace")
    assert ctx.sync.idempotency_key == ctx.idempotency_key

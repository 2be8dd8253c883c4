"""What agents tell over HTTP: kept once each, bounded, and streamed at a bounded rate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from stagewright.application.context import Bounds
from stagewright.application.desk_events import DELTA_CHARACTERS_PER_S
from stagewright.domain.errors import ValidationFailed
from stagewright.ports.agent_desk import Emitted, Events, LeasedTask, LeaseLost
from stagewright.ports.message_bus import Topic
from tests.unit.application.desks import Desk, opened
from tests.unit.application.world import World


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    await world.register()
    await world.start()
    async with opened(world, Bounds(notes=5)) as made:
        yield made


async def emit(desk: Desk, task: LeasedTask, *events: Any, first: int | None = None) -> Emitted:
    return await desk.desk.emit(task.task, Events(token=task.token, first=first, events=[*events]))


def line(message: str) -> dict[str, Any]:
    return {"event": "log", "message": message}


async def told(desk: Desk, task: LeasedTask) -> list[dict[str, Any]]:
    return (await desk.world.queries.log(task.workflow_id, "notes")).records


async def test_durable_events_are_notes_of_the_workflow(desk: Desk) -> None:
    task = await desk.task()
    call = {"event": "tool_call", "call": "c1", "name": "search", "arguments": {"q": 1}}
    answer = {"event": "tool_result", "call": "c1", "result": [1], "error": "none"}
    file = {"event": "artifact", "name": "a.txt", "hash": "0" * 64, "bytes": 3}
    taken = await emit(desk, task, line("hello") | {"fields": {"n": 1}}, call, answer, file)
    assert taken == Emitted(taken=4, dropped=0)
    notes = await told(desk, task)
    assert [note["kind"] for note in notes] == ["log", "tool_call", "tool_result", "artifact"]
    assert notes[0]["fields"] == {"n": 1}
    assert [note["number"] for note in notes] == [1, 2, 3, 4]
    assert {note["task"] for note in notes} == {task.task}


async def test_events_sent_again_are_kept_once_at_any_server(desk: Desk) -> None:
    task = await desk.task()
    await emit(desk, task, line("one"), line("two"), first=1)
    assert (await emit(desk, task, line("two"), line("three"), first=2)).taken == 2
    async with opened(desk.world) as other:
        await emit(other, task, line("three"), line("four"), first=3)
    assert [note["message"] for note in await told(desk, task)] == ["one", "two", "three", "four"]


async def test_a_lease_that_tells_too_much_is_cut_off_once_at_any_server(desk: Desk) -> None:
    task = await desk.task()
    assert await emit(desk, task, *map(line, "abcdefgh")) == Emitted(taken=5, dropped=3)
    async with opened(desk.world, Bounds(notes=5)) as other:
        assert (await emit(other, task, line("more"))).taken == 0
    assert [note["kind"] for note in await told(desk, task)] == ["log"] * 5 + ["truncated"]


async def test_a_new_attempt_may_tell_anew(desk: Desk) -> None:
    task = await desk.task()
    await emit(desk, task, *map(line, "abcdefgh"))
    await desk.expire(task)
    again = await desk.task()
    async with opened(desk.world) as other:
        assert (await emit(other, again, line("new"), first=1)).taken == 1
    assert (await told(desk, again))[-1]["message"] == "new"


async def test_who_lost_the_lease_tells_nothing(desk: Desk) -> None:
    task = await desk.task()
    await desk.expire(task)
    with pytest.raises(LeaseLost, match="back in its queue"):
        await emit(desk, task, line("late"))
    await desk.task(holder="node-2")
    with pytest.raises(LeaseLost, match="http:node-2"):
        await emit(desk, task, line("late"))
    assert await told(desk, task) == []


async def test_deltas_are_streamed_within_a_moment_and_not_kept(desk: Desk) -> None:
    task = await desk.task()
    async with desk.world.backend.bus.subscribe(Topic.DELTAS, task.workflow_id) as messages:
        for text in ("Once ", "upon"):
            await emit(desk, task, {"event": "delta", "text": text})
        await desk.world.clock.advance(0.25)
        seen = orjson.loads((await anext(aiter(messages))).body)
    assert (seen["text"], seen["task"]) == ("Once upon", task.task)
    assert await told(desk, task) == []


async def test_what_is_left_of_a_stream_is_shown_when_its_task_ends(desk: Desk) -> None:
    task = await desk.task()
    async with desk.world.backend.bus.subscribe(Topic.DELTAS, task.workflow_id) as messages:
        await emit(desk, task, {"event": "delta", "text": "The end"})
        await desk.complete(task)
        assert orjson.loads((await anext(aiter(messages))).body)["text"] == "The end"


async def test_a_stream_above_its_rate_loses_text_and_goes_on_later(desk: Desk) -> None:
    task = await desk.task()
    much = {"event": "delta", "text": "x" * (DELTA_CHARACTERS_PER_S // 2)}
    assert (await emit(desk, task, much, much, much, much)).dropped == 2
    await desk.world.clock.advance(1)
    assert (await emit(desk, task, much)).dropped == 0


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ({"event": "shout"}, "events.1.event"),
        ({}, "events.1.event"),
        ({"event": "log"}, "events.1.message"),
        ({"event": "log", "message": 3}, "events.1.message"),
        ({"event": "tool_result", "call": "c", "error": 3}, "events.1.error"),
        ({"event": "artifact", "name": "a", "hash": "0"}, "events.1.bytes"),
        ({"event": "delta", "text": None}, "events.1.text"),
    ],
)
async def test_a_malformed_event_names_the_field_and_nothing_is_taken(
    desk: Desk, event: dict[str, Any], where: str
) -> None:
    task = await desk.task()
    with pytest.raises(ValidationFailed, match=where):
        await emit(desk, task, line("fine"), event)
    assert await told(desk, task) == []


async def test_long_texts_are_cut_and_big_values_only_measured(desk: Desk) -> None:
    task = await desk.task()
    call = {"event": "tool_call", "name": "t", "arguments": "y" * 10_000}
    await emit(desk, task, line("x" * 10_000), call)
    log, tool = await told(desk, task)
    assert log["message"].endswith("... (10000 characters)")
    assert tool["arguments"] == {"omitted_bytes": 10_002}

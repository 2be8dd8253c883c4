"""The stream of one workflow, told by a hub that says what the test wants it to say."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import orjson

from stagewright.application.feed_places import LogPlace
from stagewright.application.feed_seat import Batch, Seat, Word
from stagewright.application.feed_told import Facts, Message, told_note
from stagewright.application.feed_workflow import WorkflowStream
from stagewright.application.notes import note
from stagewright.domain.ids import TaskId
from stagewright.ports.live import HEARTBEAT, Wanted
from stagewright.ports.message_bus import Message as Published
from stagewright.ports.message_bus import Topic
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, approval


class QuietHub:
    """Settles whoever asks, at once."""

    def settle(self, seat: Seat) -> None:
        seat.put(Batch(Word.SETTLED))


def a_note(id_: str, number: int, at_ms: int) -> bytes:
    return note("log", TaskId(id_, "build", 1, 1), at_ms, number, message=f"note {number}")


async def heard(
    world: World, id_: str, *batches: Batch, place: str = "", wanted: Wanted | None = None
) -> list[str]:
    """Return the names of all that a reader is told until it is let go of."""
    seat, hub = Seat(), QuietHub()
    stream: Any = WorkflowStream(
        world.backend,
        world.catalog,
        hub,
        id_,
        wanted or Wanted(),  # type: ignore[arg-type]
    )
    for batch in (*batches, Batch(Word.STOP)):
        seat.put(batch)
    told: list[str] = []
    await stream.exists()
    async with asyncio.timeout(5), aclosing(stream.chunks(seat, LogPlace.parse(place))) as chunks:
        async for chunk in chunks:
            told += [one.event for one in chunk.messages]
    return told


async def running(world: World) -> str:
    await world.register(agent("build"), approval("gate", "ann"))
    return await world.start()


async def test_a_stream_that_is_stopped_says_so_behind_what_happened(world: World) -> None:
    told = await heard(world, await running(world))
    assert told == ["WORKFLOW_CREATED", "TASK_ASSIGNED", "closed"]


async def test_a_beat_is_passed_on_and_what_is_ephemeral_too(world: World) -> None:
    ephemeral = Batch(Word.EPHEMERAL, messages=[Message("health", b"{}")])
    nothing = Batch(Word.EPHEMERAL, messages=[Message("delta", b"{}")])
    told = await heard(world, await running(world), Batch(Word.BEAT), ephemeral, nothing)
    assert told[-3:] == [HEARTBEAT, "health", "closed"]


async def test_after_a_gap_of_the_feed_the_log_says_what_was_missed(world: World) -> None:
    id_ = await running(world)
    told = await heard(world, id_, Batch(Word.GAP))
    assert told == ["WORKFLOW_CREATED", "TASK_ASSIGNED", "closed"]


async def test_a_position_of_another_history_is_a_gap_and_a_snapshot(world: World) -> None:
    id_ = await running(world)
    assert (await heard(world, id_, place="1-ffffffff"))[:2] == ["gap", "snapshot"]


async def test_notes_stand_between_the_steps_and_are_told_once(world: World) -> None:
    id_ = await running(world)
    at_ms = world.clock.now_ms()
    bodies = [a_note(id_, number, at_ms + number) for number in (1, 2)]
    await world.backend.bus.publish(Topic.NOTES, [Published(id_, body) for body in bodies], at_ms)
    world.clock.set_ms(at_ms + 10)
    await world.does("build", 1)
    again = Batch(Word.EVENTS, told=[told_note(id_, body, Facts()) for body in bodies])
    told = await heard(world, id_, again)
    assert told.count("AGENT_LOGGED") == 2
    assert told.index("AGENT_LOGGED") < told.index("STAGE_COMPLETE")


async def test_a_note_that_was_dropped_behind_a_position_is_told_of(world: World) -> None:
    id_ = await running(world)
    (first,) = await world.backend.store.log(id_, "steps", 0, 1)
    mark = orjson.loads(first)["id"][:8]
    assert (await heard(world, id_, place=f"1-{mark}~0000000000000000"))[0] == "gap"


async def test_who_wants_no_notes_hears_none(world: World) -> None:
    id_ = await running(world)
    at_ms = world.clock.now_ms()
    body = a_note(id_, 1, at_ms)
    await world.backend.bus.publish(Topic.NOTES, [Published(id_, body)], at_ms)
    more = Batch(Word.EVENTS, told=[told_note(id_, body, Facts())])
    assert "AGENT_LOGGED" not in await heard(world, id_, more, wanted=Wanted(notes=False))


async def test_kinds_that_are_not_wanted_are_left_out(world: World) -> None:
    id_ = await running(world)
    told = await heard(world, id_, wanted=Wanted(kinds=frozenset({"TASK_ASSIGNED"})))
    assert told == ["TASK_ASSIGNED", "closed"]


async def test_who_was_told_the_end_is_told_nothing(world: World) -> None:
    id_ = await running(world)
    await world.command(id_, "cancel")
    told = await heard(world, id_)
    assert told[-1] == "end"
    state = await world.state(id_)
    place = f"{state.step}-{state.step_id[:8]}"
    assert await heard(world, id_, place=place) == ["end"]
    assert await heard(world, id_, place=f"{place}!end") == []

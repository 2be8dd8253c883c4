"""Finished workflows go after their time and leave a tombstone."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.adapters.memory import index
from stagewright.application.retention import PAGE, Retention
from stagewright.domain.errors import Conflict
from stagewright.domain.ids import partition_of
from stagewright.ports.workflow_store import Tombstone
from tests.unit.application.test_live import make_unreadable
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent

WEEK_S = 7 * 86_400.0
MONTH_S = 30 * 86_400.0


def retention(world: World) -> Retention:
    return Retention(world.backend, world.clock, WEEK_S, MONTH_S)


async def finished(world: World, how: str = "completed", **start: Any) -> str:
    await world.register(agent("build", retry={"attempts": 1}))
    id_ = await world.start(**start)
    if how == "completed":
        await world.does("build")
    elif how == "failed":
        await world.fails("build")
        await world.apply()
    else:
        await world.command(id_, "cancel")
    return id_


async def swept(world: World) -> int:
    return sum([await retention(world).sweep(p) for p in range(world.backend.partitions)])


async def what_is_left(world: World, workflow_id: str) -> object:
    (found,) = await world.backend.store.load([workflow_id])
    return found


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
async def test_a_finished_workflow_leaves_a_tombstone_after_its_time(
    world: World, how: str
) -> None:
    id_ = await finished(world, how)
    body_hash = (await world.state(id_)).body_hash
    await world.clock.advance(WEEK_S)
    assert await swept(world) == 0
    await world.clock.advance(0.001)
    assert await swept(world) == 1
    ends_at_ms = world.clock.now_ms() + round(MONTH_S * 1_000)
    assert await what_is_left(world, id_) == Tombstone(id_, how, body_hash, ends_at_ms)


async def test_a_workflow_that_has_not_ended_stays(world: World) -> None:
    await world.register()
    await world.start()
    await world.clock.advance(WEEK_S * 5)
    assert await swept(world) == 0


async def test_only_the_partition_asked_for_is_swept(world: World) -> None:
    id_ = await finished(world)
    await world.clock.advance(WEEK_S + 1)
    assert await retention(world).sweep(1 - partition_of(id_)) == 0


async def test_starts_consult_the_tombstone(world: World) -> None:
    id_ = await finished(world, key="order-7", value={"n": 1})
    await world.clock.advance(WEEK_S + 1)
    await swept(world)
    again = await world.started({"n": 1}, key="order-7")
    assert (again.workflow_id, again.created) == (id_, False)
    with pytest.raises(Conflict, match="'order-7' was used with another body"):
        await world.start({"n": 2}, key="order-7")


async def test_a_key_is_free_again_when_the_tombstone_has_gone(world: World) -> None:
    id_ = await finished(world, key="order-7")
    await world.clock.advance(WEEK_S + 1)
    await swept(world)
    await world.clock.advance(MONTH_S)
    again = await world.started({"n": 2}, key="order-7")
    assert (again.workflow_id, again.created) == (id_, True)


async def test_more_than_a_page_goes_in_one_sweep(world: World) -> None:
    await world.register()
    for _ in range(PAGE * 2 + 20):
        await world.command(await world.start(), "cancel")
    await world.clock.advance(WEEK_S + 1)
    assert await swept(world) == PAGE * 2 + 20


async def test_what_lies_behind_many_that_must_stay_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "ROWS_LOOKED_AT", 3)
    await world.register()
    for _ in range(20):
        await world.start()
    await world.clock.advance(1)
    await world.command(await world.start(), "cancel")
    await world.clock.advance(WEEK_S + 1)
    assert await swept(world) == 1


async def test_one_that_cannot_be_read_stays_and_stops_nobody(world: World) -> None:
    one, other = await finished(world), await finished(world)
    await make_unreadable(world, one)
    await world.clock.advance(WEEK_S + 1)
    assert await swept(world) == 1
    assert isinstance(await what_is_left(world, other), Tombstone)

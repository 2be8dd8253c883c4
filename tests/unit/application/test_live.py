"""The bounded cache of workflows."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.application.live import HELD_FOR_MS, LiveWorkflows, load_one
from stagewright.domain.errors import Refused
from stagewright.domain.records import but
from stagewright.domain.snapshot import encode_state
from tests.unit.application.world import World


class Counting:
    """A store that counts what is loaded."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.loads: list[list[str]] = []

    async def load(self, workflow_ids: Any, referred: Any = None) -> Any:
        self.loads.append(list(workflow_ids))
        return await self._store.load(workflow_ids, referred)


async def two(world: World) -> tuple[Counting, LiveWorkflows, list[str]]:
    await world.register()
    ids = [await world.start(), await world.start()]
    store = Counting(world.backend.store)
    return store, LiveWorkflows(store, world.catalog, limit=1), ids


async def test_what_is_missing_is_loaded_in_one_call(world: World) -> None:
    store, lives, ids = await two(world)
    found = await lives.get([*ids, "p00-" + "0" * 32])
    assert sorted(found) == sorted(ids)
    assert store.loads == [[*ids, "p00-" + "0" * 32]]


async def test_what_is_held_is_not_loaded_again(world: World) -> None:
    store, lives, ids = await two(world)
    await lives.get(ids[:1])
    await lives.get(ids[:1])
    assert store.loads == [ids[:1]]


async def test_beyond_the_limit_the_one_kept_longest_ago_is_let_go(world: World) -> None:
    store, lives, ids = await two(world)
    await lives.get(ids)
    await lives.get(ids)
    assert store.loads == [ids, ids[:1]]


async def test_what_did_not_move_for_a_while_is_let_go_when_others_move(world: World) -> None:
    await world.register()
    old = await world.start()
    await world.clock.advance(HELD_FOR_MS / 1_000 + 1)
    new = await world.start()
    store = Counting(world.backend.store)
    lives = LiveWorkflows(store, world.catalog)
    for id_ in (old, new, new, old):
        await lives.get([id_])
    assert store.loads == [[old], [new], [old]]


async def test_a_dropped_one_and_all_after_a_clear_are_loaded_again(world: World) -> None:
    store, lives, (one, _) = await two(world)
    await lives.get([one])
    lives.drop(one)
    await lives.get([one])
    lives.clear()
    await lives.get([one])
    assert store.loads == [[one]] * 3


async def test_a_finished_workflow_is_let_go(world: World) -> None:
    store, lives, (one, _) = await two(world)
    live = (await lives.get([one]))[one]
    await world.command(one, "cancel")
    live.state = await world.state(one)
    lives.keep(live)
    await lives.get([one])
    assert len(store.loads) == 2


async def make_unreadable(world: World, workflow_id: str) -> None:
    state: Any = world.backend.store
    newer = but(await world.state(workflow_id), schema=99)
    state._state.workflows[workflow_id].snapshot = encode_state(newer)


async def test_one_that_cannot_be_read_does_not_stop_the_others(world: World) -> None:
    _, lives, (one, other) = await two(world)
    await make_unreadable(world, one)
    found = await lives.get([one, other])
    assert list(found) == [other]
    assert "newer version" in lives.unreadable[one]
    await lives.get([other])
    assert lives.unreadable == {}


async def test_a_workflow_whose_definition_is_gone_cannot_be_read(world: World) -> None:
    _, _, (one, _) = await two(world)
    state: Any = world.backend.registry
    state._state.bodies.clear()
    world.forget()
    assert await world.lives.get([one]) == {}
    assert "No definition" in world.lives.unreadable[one]


async def test_one_workflow_is_loaded_by_itself(world: World) -> None:
    _, _, (one, _) = await two(world)
    live = await load_one(world.backend, world.catalog, one)
    assert live is not None
    assert live.state.workflow_id == one


@pytest.mark.parametrize("id_", ["p00-" + "0" * 32, "p99-" + "0" * 32, "nonsense", ""])
async def test_what_is_no_workflow_is_none(world: World, id_: str) -> None:
    assert await load_one(world.backend, world.catalog, id_) is None


async def test_one_that_cannot_be_read_says_why(world: World) -> None:
    _, _, (one, _) = await two(world)
    await make_unreadable(world, one)
    with pytest.raises(Refused, match="newer version"):
        await load_one(world.backend, world.catalog, one)

"""Agents that say what a script says."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from stagewright.domain.ids import TaskId
from stagewright.testing.clock import settle
from stagewright.testing.scripted import ScriptedRunner
from tests.unit.application.world import World, opened
from tests.unit.domain.kernel import agent


def runner(world: World, asked: list[tuple[str, Any]]) -> ScriptedRunner:
    def script(task: TaskId, given: Any) -> dict[str, Any]:
        asked.append((task.stage, given))
        return {"value": {"by": task.stage}, "outcome": "good"}

    return ScriptedRunner(world.backend, world.clock, world.ids, ["build@1.0"], script)


async def test_it_hands_in_what_the_script_says() -> None:
    asked: list[tuple[str, Any]] = []
    async with opened() as world:
        await world.register(agent("build", on={"good": "complete"}))
        id_ = await world.start({"n": 1})
        assert await runner(world, asked).work() == 1
        assert asked == [("build", {"n": 1})]
        await world.apply()
        assert (await world.state(id_)).stages["build"].outcome == "good"
        assert orjson.loads((await world.stored(id_)).outputs["build/1"]) == {"by": "build"}


async def test_it_looks_for_work_again_and_again() -> None:
    asked: list[tuple[str, Any]] = []
    async with opened() as world:
        await world.register(agent("build", on={"good": "complete"}))
        task = asyncio.create_task(runner(world, asked).run())
        await settle()
        await world.start(1)
        await world.clock.advance(1)
        await world.start(2)
        await world.clock.advance(1)
        task.cancel()
    assert [given for _, given in asked] == [1, 2]

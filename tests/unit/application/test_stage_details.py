"""What one stage is, was given and left."""

from __future__ import annotations

import pytest

from stagewright.application.stage_details import StageDetails
from stagewright.domain.errors import NotFound
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, approval


async def test_a_stage_tells_its_input_and_its_place_in_the_definition(world: World) -> None:
    await world.register(agent("build"), agent("check", **{"with": {"of": {"from": "input.n"}}}))
    id_ = await world.start({"n": 1})
    await world.does("build", {"n": 2})
    details = StageDetails(world.backend, world.catalog)
    found = await details.stage(id_, "check")
    assert (found.kind, found.agent, found.input) == ("agent", "check@^1", b'{"of":1}')
    assert (await details.stage(id_, "build")).input == b'{"n":1}'
    assert found.definition["name"] == "check"


async def test_a_stage_that_was_not_reached_has_no_input(world: World) -> None:
    await world.register(agent("build"), approval("sign"))
    id_ = await world.start()
    found = await StageDetails(world.backend, world.catalog).stage(id_, "sign")
    assert (found.input, found.agent, found.contract) == (None, None, None)


async def test_values_are_found_by_their_keys(world: World) -> None:
    await world.register(agent("build"), agent("check"))
    id_ = await world.start({"n": 1})
    await world.does("build", {"n": 2})
    details = StageDetails(world.backend, world.catalog)
    key = (await world.queries.show(id_)).stages[0].output_key or ""
    assert await details.values(id_, ["input", key, "none"]) == {
        "input": b'{"n":1}',
        key: b'{"n":2}',
    }


async def test_what_does_not_exist_is_named(world: World) -> None:
    await world.register(agent("build"))
    id_ = await world.start()
    details = StageDetails(world.backend, world.catalog)
    with pytest.raises(NotFound, match="No stage 'deploy'"):
        await details.stage(id_, "deploy")
    with pytest.raises(NotFound, match="No workflow"):
        await details.stage(id_[:-4] + "0000", "build")

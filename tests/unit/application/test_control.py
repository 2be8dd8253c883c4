"""Commands and queries together."""

from __future__ import annotations

from stagewright.application.control import Control
from stagewright.ports.control import StartRequest
from tests.unit.application.world import World


async def test_what_commands_did_queries_see(world: World) -> None:
    control = Control(world.backend, world.clock, world.ids, world.randomness)
    await world.register()
    started = await control.commands.start(StartRequest(definition="job"))
    assert (await control.queries.show(started.workflow_id)).status == "running"
    assert control.dead_letters is world.backend.dead_letters


async def test_a_catalog_may_be_shared(world: World) -> None:
    parts = (world.backend, world.clock, world.ids, world.randomness)
    assert Control(*parts, catalog=world.catalog).catalog is world.catalog

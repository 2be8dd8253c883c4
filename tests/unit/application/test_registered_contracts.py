"""Definitions that are checked against what agents have registered."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import Conflict, DefinitionError
from stagewright.ports.control import RegisterRequest
from stagewright.ports.views import DefinitionView
from tests.unit.application.world import World

JOB = {"name": "job", "stages": [{"name": "build", "agent": "build@^1.1"}]}
NUMBER = {"type": "integer"}


async def agents(world: World, *versions: str, **fields: Any) -> None:
    for version in versions:
        contract = Contract(name="build", version=version, **fields)
        await world.catalog.register_contract(contract)


async def register(world: World, definition: Any = JOB, **fields: Any) -> DefinitionView:
    request = RegisterRequest(definition=definition, registered=True, **fields)
    return await world.commands.register(request)


async def embedded(world: World) -> Any:
    return (await world.queries.definition("job"))["contracts"]


async def test_the_newest_contract_that_fits_is_embedded(world: World) -> None:
    await agents(world, "1.0.0", "1.2.0", "1.1.0", "2.0.0")
    assert (await register(world)).contracts_checked
    assert (await embedded(world))["build"]["version"] == "1.2.0"


async def test_a_definition_that_does_not_fit_is_refused(world: World) -> None:
    await agents(world, "1.1.0", input=NUMBER)
    with pytest.raises(DefinitionError):
        await register(world, JOB | {"input": {"type": "string"}})


async def test_what_comes_with_the_request_counts_more(world: World) -> None:
    await agents(world, "1.2.0")
    given = Contract(name="build", version="1.1.0").model_dump()
    await register(world, contracts=[given])
    assert (await embedded(world))["build"]["version"] == "1.1.0"


async def test_without_a_fitting_contract_it_is_not_checked(world: World) -> None:
    await agents(world, "1.0.0")
    assert not (await register(world)).contracts_checked


async def test_registering_again_changes_nothing_whatever_agents_came_since(world: World) -> None:
    first = await register(world)
    await agents(world, "1.1.0")
    assert (await register(world)).hash == first.hash
    with pytest.raises(Conflict):
        await register(world, JOB | {"description": "another"})

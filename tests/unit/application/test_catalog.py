"""Definitions by content hash: found, registered, compiled."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.application.catalog import VIOLATIONS_LIMIT, Catalog, Checker
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Definition
from stagewright.domain.errors import Conflict, DefinitionError, NotFound
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, define

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}
BUILD = Contract(name="build", version="1.3.0", output=NUMBER)


def job(version: str = "1.0.0", **fields: Any) -> Definition:
    return define(agent("build"), version=version, **fields)


async def entered(world: World, *definitions: Definition) -> list[str]:
    """Register definitions a second apart; return their hashes."""
    hashes = []
    for definition in definitions:
        hashes.append((await world.catalog.register(definition, [])).hash)
        await world.clock.advance(1)
    return hashes


async def test_a_registered_definition_is_found_by_hash_version_and_name(world: World) -> None:
    (hash_,) = await entered(world, job())
    for reference in (hash_, "job@1.0.0", "job"):
        assert await world.catalog.resolve(reference) == hash_


async def test_a_name_alone_means_its_newest_version(world: World) -> None:
    old, new, pre = await entered(world, job("1.9.0"), job("1.10.0"), job("2.0.0-rc.1"))
    assert await world.catalog.resolve("job@1.9.0") == old
    assert await world.catalog.resolve("job") == pre
    assert new not in (old, pre)


async def test_what_is_not_registered_is_named_with_what_is(world: World) -> None:
    await entered(world, job())
    for reference in ("jobb", "job@2.0.0", "0" * 64):
        with pytest.raises(NotFound) as error:
            await world.catalog.resolve(reference)
        assert error.value.known == ("job",)


async def test_a_retired_version_is_not_started_but_runs_on(world: World) -> None:
    (hash_,) = await entered(world, job())
    await world.backend.registry.retire("definition", "job", "1.0.0")
    with pytest.raises(NotFound):
        await world.catalog.resolve("job")
    world.forget()
    assert (await world.catalog.compiled(hash_)).plan.hash == hash_


async def test_the_same_version_with_other_content_is_a_conflict(world: World) -> None:
    await entered(world, job())
    with pytest.raises(Conflict, match=r"job@1\.0\.0 is registered with other content"):
        await entered(world, job(description="other"))


async def test_the_same_content_again_is_the_same_entry(world: World) -> None:
    first, again = await entered(world, job(), job())
    assert first == again


async def develop(world: World, *descriptions: str) -> Definition:
    """Register edits one after another; return what a start by name takes."""
    for description in descriptions:
        edited = job(description=description)
        await world.catalog.register(edited, [], development=True)
        await world.clock.advance(1)
    compiled = await world.catalog.compiled(await world.catalog.resolve("job"))
    return compiled.plan.definition


async def test_an_edit_in_development_gets_a_version_of_its_own(world: World) -> None:
    newest = await develop(world, "a", "b")
    assert newest.description == "b"
    assert newest.version == f"1.0.0+dev.{job(description='b').content_hash[:8]}"


@pytest.mark.parametrize("edits", ["aba", "abcb", "abca", "abb"])
async def test_an_edit_that_is_taken_back_is_taken_back(world: World, edits: str) -> None:
    assert (await develop(world, *edits)).description == edits[-1]


async def test_a_definition_that_makes_no_sense_is_refused(world: World) -> None:
    with pytest.raises(DefinitionError, match=r"Definition job: 1 problem"):
        await world.catalog.register(define(agent("build", on={"ok": "nowhere"})), [])


async def test_registering_embeds_the_contracts_it_was_checked_against(world: World) -> None:
    definition = define(agent("build"), agent("other"))
    entry = await world.catalog.register(definition, [BUILD])
    compiled = await world.catalog.compiled(entry.hash)
    assert compiled.plan.definition.contracts == {"build": BUILD.ref}
    assert compiled.plan.stages["build"].lane == "build@1.3"
    assert list(compiled.outputs) == ["build"]


async def test_a_contract_that_a_stage_cannot_use_is_refused(world: World) -> None:
    with pytest.raises(DefinitionError, match="version 1"):
        await world.catalog.register(define({"name": "s", "agent": "build@^2"}), [BUILD])


async def test_another_contract_of_the_same_version_is_a_conflict(world: World) -> None:
    await world.catalog.register_contract(BUILD)
    await world.catalog.register_contract(BUILD)
    with pytest.raises(Conflict, match=r"contract build 1\.3\.0 is registered with other content"):
        await world.catalog.register_contract(BUILD.model_copy(update={"output": {}}))


async def test_a_definition_is_compiled_once(world: World) -> None:
    (hash_,) = await entered(world, job())
    assert world.catalog.known(hash_) is None
    compiled = await world.catalog.compiled(hash_)
    assert await world.catalog.compiled(hash_) is compiled
    assert world.catalog.known(hash_) is compiled


async def test_a_checker_is_shared_by_definitions_of_one_contract(world: World) -> None:
    one = await world.catalog.register(job(), [BUILD])
    two = await world.catalog.register(job("2.0.0"), [BUILD])
    checkers = [(await world.catalog.compiled(e.hash)).outputs["build"] for e in (one, two)]
    assert checkers[0] is checkers[1]


@pytest.mark.parametrize("kind", ["definition", "contract"])
async def test_what_the_registry_lost_is_named(world: World, kind: str) -> None:
    entry = await world.catalog.register(job(), [BUILD])
    registry: Any = world.backend.registry
    bodies = registry._state.bodies
    for key in [key for key in bodies if key[0] == kind]:
        del bodies[key]
    with pytest.raises(NotFound, match=kind):
        await Catalog(world.backend.registry, world.clock).compiled(entry.hash)


async def test_an_input_schema_is_compiled(world: World) -> None:
    with_schema, without = await entered(world, job(input=NUMBER), job("2.0.0"))
    checker = (await world.catalog.compiled(with_schema)).input
    assert checker is not None
    assert checker.problems({"n": "x"}) != ()
    assert (await world.catalog.compiled(without)).input is None


def test_a_checker_names_every_field_that_is_wrong() -> None:
    checker = Checker({"properties": {"a": {"type": "integer"}, "b": {"items": {"type": "null"}}}})
    assert checker.problems({"a": 1, "b": [None]}) == ()
    paths = {problem["path"] for problem in checker.problems({"a": "x", "b": [None, 1]})}
    assert paths == {"a", "b/1"}


def test_a_checker_stops_after_so_many() -> None:
    checker = Checker({"items": {"type": "null"}})
    assert len(checker.problems([1] * 100)) == VIOLATIONS_LIMIT


def test_a_checker_says_where_and_how_but_not_what_when_values_are_masked() -> None:
    schema = {"properties": {"name": {"type": "integer"}}}
    (problem,) = Checker(schema, mask="value").problems({"name": "sesame"})
    assert problem["path"] == "name"
    assert "sesame" not in problem["message"]
    (plain,) = Checker(schema).problems({"name": "sesame"})
    assert "sesame" in plain["message"]


@pytest.mark.parametrize("uri", ["file:///etc/hostname", "http://127.0.0.1:9/schema.json"])
def test_a_checker_reads_no_file_and_asks_no_server(uri: str) -> None:
    with pytest.raises(ValueError, match="lies outside of this schema"):
        Checker({"$ref": uri})

"""Definitions and agents: what can be run, by whom, and how it went."""

from __future__ import annotations

import pytest

from stagewright.application.catalogue import Catalogue
from stagewright.application.statistics import quantile
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import NotFound
from tests.unit.application.test_queries import with_worker
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent


def catalogue(world: World) -> Catalogue:
    return Catalogue(world.backend, world.catalog, world.clock)


async def test_a_definition_is_described_with_all_its_versions(world: World) -> None:
    await world.register(version="1.0.0")
    await world.register(agent("build", description="Builds."), version="1.1.0")
    found = await catalogue(world).described("job")
    assert (found.version, [v.version for v in found.versions]) == ("1.1.0", ["1.0.0", "1.1.0"])
    assert found.body["stages"][0]["name"] == "build"
    assert found.mermaid.startswith("flowchart TD")
    assert [node.id for node in found.graph.nodes] == ["build", "complete"]
    assert (await catalogue(world).described("job@1.0.0")).version == "1.0.0"
    with pytest.raises(NotFound):
        await catalogue(world).described("nowhere")


async def test_statistics_are_of_the_workflows_that_ended(world: World) -> None:
    await world.register(agent("build", retry={"attempts": 1}))
    for took_s in (1, 2, 9):
        await world.start()
        await world.clock.advance(took_s)
        await world.does("build")
    await world.start()
    await world.fails("build")
    await world.apply()
    await world.command(await world.start(), "cancel")
    await world.start()
    found = await catalogue(world).statistics("job")
    assert (found.completed, found.failed, found.cancelled) == (3, 1, 1)
    assert (found.success_rate, found.sampled, found.whole) == (0.75, 5, True)
    assert (found.p50_ms, found.p95_ms) == (2_000, 9_000)
    assert [(s.stage, s.count, s.p95_ms) for s in found.stages] == [("build", 4, 9_000)]


async def test_without_workflows_statistics_claim_nothing(world: World) -> None:
    await world.register()
    found = await catalogue(world).statistics("job")
    assert (found.success_rate, found.p50_ms, found.stages) == (None, None, [])
    with pytest.raises(NotFound):
        await catalogue(world).statistics("nowhere")


@pytest.mark.parametrize(("share", "value"), [(0.5, 3), (0.95, 5), (0.0, 1), (1.0, 5)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert quantile([1, 2, 3, 4, 5], share) == value


async def test_an_agent_without_a_live_worker_says_so(world: World) -> None:
    await world.register(contracts=[Contract(name="build"), Contract(name="check")])
    await world.start()
    await world.start()
    build, check = await catalogue(world).agents()
    assert (build.name, build.queued, build.live, build.unserved) == ("build", 2, 0, ["build@1.0"])
    assert build.reason.startswith("no live worker for build@1.0: run `stagewright")
    assert build.oldest_at_ms is not None
    assert (check.name, check.queued, check.reason) == ("check", 0, "")


async def test_an_agent_that_is_served_names_its_processes(world: World) -> None:
    await world.register()
    await world.start()
    await with_worker(world, "build@1.0", "check@1.0")
    found = await catalogue(world).agent("build")
    assert (found.live, found.queued, found.unserved, found.reason) == (1, 1, [], "")
    assert set(found.processes[0].agents) == {"build"}


async def test_one_agent_shows_the_schemas_of_its_contracts(world: World) -> None:
    contract = Contract(name="build", description="Builds.", input={"type": "object"})
    await world.register(contracts=[contract, Contract(name="check")])
    (listed, _) = await catalogue(world).agents()
    assert listed.contracts[0].input is None
    (shown,) = (await catalogue(world).agent("build")).contracts
    assert (shown.input, shown.description, shown.hash) == (
        {"type": "object"},
        "Builds.",
        contract.hash,
    )
    with pytest.raises(NotFound, match="Known: build, check"):
        await catalogue(world).agent("deploy")

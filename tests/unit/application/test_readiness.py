"""Whether work gets on: an orchestrator that does not come round is noticed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from stagewright.application.readiness import ANSWER_S, Readiness
from stagewright.ports.health import PortHealth
from stagewright.testing.clock import settle
from tests.unit.application.test_queries import Broken
from tests.unit.application.world import World, running


@dataclass
class Slow:
    silent_s: float
    patience_s: float = 15.0
    partitions: frozenset[int] = frozenset({0, 1})


async def test_without_an_orchestrator_here_the_store_is_enough(world: World) -> None:
    view = await Readiness(world.backend, world.clock).look()
    assert (view.ready, [check.check for check in view.checks]) == (True, ["store"])


@pytest.mark.parametrize(("silent_s", "ready"), [(0.0, True), (14.0, True), (16.0, False)])
async def test_an_orchestrator_that_does_not_come_round_is_not_ready(
    world: World, silent_s: float, ready: bool
) -> None:
    readiness = Readiness(world.backend, world.clock)
    readiness.watch(Slow(silent_s))
    view = await readiness.look()
    assert view.ready is ready
    assert "owns 2 partitions" in view.checks[-1].detail


async def test_an_orchestrator_that_was_stopped_is_expected_no_more(world: World) -> None:
    readiness, slow = Readiness(world.backend, world.clock), Slow(99.0)
    readiness.watch(slow)
    assert not (await readiness.look()).ready
    readiness.forget(slow)
    assert (await readiness.look()).ready


@pytest.mark.parametrize(
    "health",
    [
        PortHealth(ok=False, durability="none", detail="refused by 10.0.0.7"),
        PortHealth(ok=True, durability="none", refusing="the disk of 10.0.0.7 is full"),
    ],
)
async def test_a_store_that_does_not_take_changes_is_not_ready(
    world: World, health: PortHealth
) -> None:
    other = world.with_ports(store=Broken(health))
    view = await Readiness(other.backend, other.clock).look()
    assert not view.ready
    assert "10.0.0.7" not in view.model_dump_json()


async def test_the_store_is_asked_once_a_second_however_many_ask(world: World) -> None:
    asked = 0

    class Counting:
        async def health(self) -> PortHealth:
            nonlocal asked
            asked += 1
            return PortHealth(ok=True, durability="none")

    other = world.with_ports(store=Counting())
    readiness = Readiness(other.backend, other.clock)
    await asyncio.gather(*(readiness.look() for _ in range(20)))
    assert asked == 1
    await world.clock.advance(1)
    await readiness.look()
    assert asked == 2


async def test_a_consumer_that_hangs_is_seen_in_the_orchestrators_silence(world: World) -> None:
    orchestrator = world.orchestrator()
    assert orchestrator.silent_s == 0
    async with running(orchestrator):
        for _ in range(30):
            await world.clock.advance(1)
            await settle()
        assert orchestrator.silent_s <= 10
        hung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        orchestrator._consumers[0].consume = lambda: hung  # type: ignore[method-assign]
        for _ in range(40):
            await world.clock.advance(1)
            await settle()
        assert orchestrator.silent_s > orchestrator.patience_s
    assert orchestrator.patience_s > ANSWER_S

"""Any number of orchestrators over one store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stagewright.application.ownership import owners
from stagewright.domain.errors import Unreachable
from stagewright.testing.clock import settle
from tests.unit.application.world import World, running
from tests.unit.domain.kernel import agent, approval, wait


async def finish(world: World, *names: str, rounds: int = 60) -> None:
    """Let agents do whatever comes, while time passes, until nothing comes any more."""
    for _ in range(rounds):
        for task in await world.claim(*names):
            await world.complete(task, task.task_id.split("/")[1])
        await world.clock.advance(0.5)


async def statuses(world: World, ids: list[str]) -> set[str]:
    return {(await world.state(id_)).status.value for id_ in ids}


async def owned(world: World) -> dict[int, str]:
    return await owners(world.backend.kv, world.clock.now_ms())


async def test_it_brings_workflows_to_their_end(world: World) -> None:
    await world.register(agent("build"), wait("nap", for_s=5), agent("check"))
    async with running(world.orchestrator()):
        ids = [await world.start() for _ in range(5)]
        await finish(world)
    assert await statuses(world, ids) == {"completed"}


async def test_commands_of_another_process_are_gone_on_from(world: World) -> None:
    await world.register(agent("build"), approval("sign"), wait("gate", signal="s"), agent("check"))
    async with running(world.orchestrator()):
        id_ = await world.start()
        await finish(world, rounds=3)
        await world.command(id_, "approve")
        await world.command(id_, "signal", name="s")
        await finish(world, rounds=10)
    assert await statuses(world, [id_]) == {"completed"}


async def test_two_at_once_over_the_same_partitions_are_harmless(world: World) -> None:
    await world.register(agent("build"), wait("nap", for_s=1), agent("check"))
    one, two = world.orchestrator("one"), world.orchestrator("two")
    async with running(one, two):
        for each in (one, two):  # both believe that everything is theirs
            for partition in range(world.backend.partitions):
                await each._consumer_of(partition).take(partition)
        ids = [await world.start() for _ in range(5)]
        await finish(world)
        reports = [await world.commands.replay(id_) for id_ in ids]
    assert await statuses(world, ids) == {"completed"}
    assert all(report.equal and report.steps == 4 for report in reports)
    assert await world.letters() == []


async def test_partitions_are_shared_as_orchestrators_come_and_go(world: World) -> None:
    one, two = world.orchestrator("one"), world.orchestrator("two")
    async with running(one):
        assert one.partitions == {0, 1}
        async with running(two):
            await world.clock.advance(10)
            assert sorted((await owned(world)).values()) == ["one", "two"]
        await world.clock.advance(10)
        assert one.partitions == {0, 1}


async def test_a_killed_one_is_followed_within_its_lease(world: World) -> None:
    await world.register()
    one, two = world.orchestrator("one"), world.orchestrator("two")
    dead = replace(world.backend, kv=_Dead(world.backend.kv))
    async with running(one):
        one._ownership._kv = dead.kv  # nothing it does at its end reaches the store
        ids = [await world.start() for _ in range(4)]
        for task in await world.claim("build"):
            await world.complete(task)
    async with running(two):
        await finish(world)
    assert await statuses(world, ids) == {"completed"}
    assert set((await owned(world)).values()) <= {"two"}


class _Dead:
    """The key-value store of a process that was killed."""

    def __init__(self, kv: Any) -> None:
        self._kv = kv

    def __getattr__(self, name: str) -> Any:
        raise Unreachable("kv", "killed")


async def test_a_stopped_one_gives_up_at_once(world: World) -> None:
    one = world.orchestrator("one")
    async with running(one) as (task,):
        one.stop()
        await settle()
        assert task.done()
        await world.clock.advance(0.01)
        assert await owned(world) == {}


async def test_stopping_one_that_never_ran_does_nothing(world: World) -> None:
    world.orchestrator().stop()


class _Flaky:
    """A port that fails so many times, and then works."""

    def __init__(self, port: Any, failures: int) -> None:
        self._port, self.failures = port, failures

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.failures > 0:
                self.failures -= 1
                raise Unreachable("backend")
            return await real(*args, **kwargs)

        return call


@pytest.mark.parametrize("port", ["kv", "bus", "store"])
async def test_a_backend_that_fails_is_a_pause_and_not_an_end(world: World, port: str) -> None:
    await world.register()
    id_ = await world.start()
    flaky = world.with_ports(**{port: _Flaky(getattr(world.backend, port), 5)})
    async with running(flaky.orchestrator()) as (task,):
        await finish(world)
        assert not task.done()
    assert await statuses(world, [id_]) == {"completed"}


async def test_it_is_ready_once_it_owns_something(world: World) -> None:
    flaky = world.with_ports(kv=_Flaky(world.backend.kv, 1))
    orchestrator = flaky.orchestrator()
    async with running(orchestrator):
        assert not orchestrator.ready.is_set()
        await world.clock.advance(2)
        assert orchestrator.ready.is_set()


async def test_it_reconciles_and_retains_from_time_to_time(world: World) -> None:
    await world.register()
    lost, old = await world.start(), await world.start()
    await world.command(old, "cancel")
    await world.lose_record(lost)
    async with running(world.orchestrator(retention_s=60, reconcile_s=30, retain_every_s=300)):
        await world.clock.advance(31)
        assert len(await world.tasks(lost)) == 1
        await world.clock.advance(300)
    assert await world.backend.store.counts() == {"running": 1}


async def test_where_one_process_does_all_the_leases_of_the_dead_are_free(world: World) -> None:
    await world.register()
    await world.start()
    await world.claim("build")
    sole = World(replace(world.backend, sole=True), world.clock, world.ids, world.randomness)
    async with running(sole.orchestrator()):
        assert len(await world.claim("build")) == 1


async def test_others_have_their_turn_however_much_there_is_to_do(world: World) -> None:
    await world.register()
    for _ in range(50):
        await world.start()
    for task in await world.claim("build"):
        await world.complete(task)
    seen: set[int] = set()

    async def look() -> None:
        while (left := len(await world.inbox())) > 0:
            seen.add(left)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    async with running(world.orchestrator(batch=1)):
        await looking
    assert len(seen) > 10


async def test_it_names_itself_unless_it_is_told_a_name(world: World) -> None:
    assert world.orchestrator(holder="").holder.startswith("orchestrator-")

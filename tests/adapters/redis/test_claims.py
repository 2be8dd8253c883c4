"""Where claims look: right without knowing anything, in one round trip with a good guess."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.connection import Client, Command
from stagewright.adapters.redis.lanes import QUIET_MS
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Topic
from stagewright.ports.task_queue import Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import claim, claimed_one, queued, task, workflow
from tests.adapters.redis.conftest import Redises


@pytest.fixture
async def runner(redis: Redises, clock: VirtualClock) -> AsyncIterator[Backend]:
    """Another process: it has not seen what `redis.backend` did."""
    async with open_backend(redis.url, redis.options, clock) as backend:
        yield backend


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The functions called in each round trip."""
    made: list[list[str]] = []
    call_all = Client.call_all

    async def recorded(self: Client, commands: list[Command]) -> list[object]:
        made.append([str(command[1]).rpartition("_")[0] for command in commands])
        return await call_all(self, commands)

    monkeypatch.setattr(Client, "call_all", recorded)
    return made


async def test_a_runner_that_knows_nothing_asks_everywhere_and_then_claims(
    redis: Redises, runner: Backend, clock: VirtualClock, trips: list[list[str]]
) -> None:
    await queued(redis.backend, clock, task(workflow(1, 2)))
    trips.clear()
    await claimed_one(runner, clock)
    assert trips == [["offer"] * 4, ["claim"]]


async def test_a_runner_that_heard_a_hint_claims_at_once_and_asks_the_others(
    redis: Redises, runner: Backend, clock: VirtualClock, trips: list[list[str]]
) -> None:
    async with runner.bus.subscribe(Topic.WAKE) as listener:
        await queued(redis.backend, clock, task(workflow(1, 2)))
        await at_once(anext(listener))
        trips.clear()
        await claimed_one(runner, clock)
    assert trips == [["claim", "offer", "offer", "offer"]]


async def test_a_partition_that_was_empty_is_not_asked_again_while_its_hints_are_heard(
    redis: Redises, runner: Backend, clock: VirtualClock, trips: list[list[str]]
) -> None:
    async with runner.bus.subscribe(Topic.WAKE) as listener:
        assert list(await runner.tasks.claim(claim(), clock.now_ms())) == []
        trips.clear()
        assert list(await runner.tasks.claim(claim(), clock.now_ms())) == []
        await queued(redis.backend, clock, task(workflow(1, 2)))
        await at_once(anext(listener))
        await claimed_one(runner, clock)
        assert trips == [["commit"], ["claim"]]
        other_lanes = claim("pack@1.0")
        await runner.tasks.claim(other_lanes, clock.now_ms())
        assert trips[2:] == [["offer"] * 4]


async def test_what_was_empty_a_while_ago_is_asked_again_although_nothing_was_heard(
    runner: Backend, clock: VirtualClock, trips: list[list[str]]
) -> None:
    async with runner.bus.subscribe(Topic.WAKE):
        await runner.tasks.claim(claim(), clock.now_ms())
        trips.clear()
        await runner.tasks.claim(claim(), clock.now_ms() + QUIET_MS)
    assert trips == [["offer"] * 4]
    await runner.tasks.claim(claim(), clock.now_ms() + QUIET_MS)
    assert trips[1:] == [["offer"] * 4]  # nobody listens any more


async def test_a_hint_that_was_lost_costs_a_round_trip_and_no_task(
    redis: Redises, runner: Backend, clock: VirtualClock, trips: list[list[str]]
) -> None:
    async with runner.bus.subscribe(Topic.WAKE) as listener:
        await queued(redis.backend, clock, task(workflow(1, 2)))
        await at_once(anext(listener))
    await queued(redis.backend, clock, task(workflow(2, 3)))
    trips.clear()
    assert len(await runner.tasks.claim(claim(), clock.now_ms())) == 2
    assert trips == [["claim", "offer", "offer", "offer"], ["claim"]]


async def test_a_hint_names_the_most_urgent_task(
    redis: Redises, runner: Backend, clock: VirtualClock
) -> None:
    async with runner.bus.subscribe(Topic.WAKE) as listener:
        for number, priority in enumerate((3, 0, 3)):
            await queued(redis.backend, clock, task(workflow(number, number), priority=priority))
            await at_once(anext(listener))
        found = await claimed_one(runner, clock, slots=1)
    assert found.priority == 0


async def test_a_completion_and_the_next_claim_are_one_round_trip(
    redis: Redises, clock: VirtualClock, trips: list[list[str]]
) -> None:
    await queued(redis.backend, clock, task(workflow(1, 2), "a"), task(workflow(1, 2), "b"))
    (first,) = await redis.backend.tasks.claim(claim(slots=1), clock.now_ms())
    trips.clear()
    done = [Completion(first.task_id, first.token, b"result")]
    answer = await redis.backend.tasks.complete(done, claim(slots=1), clock.now_ms())
    assert len(answer.claimed) == 1
    assert trips == [["complete", "offer", "offer", "offer"]]


async def test_a_guess_that_is_wrong_finds_the_task_all_the_same(
    redis: Redises, runner: Backend, clock: VirtualClock
) -> None:
    await queued(redis.backend, clock, task(workflow(1, 2)), task(workflow(2, 3)))
    taken = await runner.tasks.claim(claim(slots=1), clock.now_ms())
    left = await redis.backend.tasks.claim(claim(slots=1), clock.now_ms())
    assert {found.task_id for found in (*taken, *left)} == {
        f"{workflow(1, 2)}/build/1/1",
        f"{workflow(2, 3)}/build/1/1",
    }

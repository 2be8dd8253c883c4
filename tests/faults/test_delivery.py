"""Messages that come again and again, in any order: the same ends as if each had come once."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import pytest

from stagewright.application.consumer import Consumer
from stagewright.domain.events import StageComplete, decode_step
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import ClaimedTask
from stagewright.ports.workflow_store import Stored
from stagewright.testing.faults import Harm, Moment
from tests.faults.crashes import crashed_at
from tests.faults.joining import joining
from tests.faults.test_crash_sweep import memory
from tests.unit.application.test_consumer import consumer
from tests.unit.application.world import World, opened
from tests.unit.domain.kernel import agent, parallel

SEED = int(os.environ.get("DELIVERY_SEED", "20261122"))
WORKFLOWS = 30
STAGES = (
    agent("plan", **{"with": {"from": "input"}}),
    parallel("work", [agent("cut"), agent("sand")], [agent("paint")], [agent("print")]),
    agent("check", on={"again": "plan"}, max_visits=3),
    agent("ship"),
)
AGENTS = ("plan", "cut", "sand", "paint", "print", "check", "ship")
Ends = dict[str, tuple[str, dict[str, bytes]]]


def answer(world: World, task: ClaimedTask) -> bytes:
    """The same result for the same task, whoever does it: one workflow in three is sent back."""
    workflow_id, stage, visit, _ = task.task_id.split("/")
    again = stage == "check" and visit == "1" and int(workflow_id[-2:], 16) % 3 == 0
    value = {"stage": stage, "visit": int(visit)}
    return world.envelope(task, value, outcome="again" if again else None)


async def ends(world: World, ids: Sequence[str]) -> Ends:
    """Status and outputs of every workflow, by the place it was started at."""
    found: Ends = {}
    for place, stored in enumerate(await world.backend.store.load(ids)):
        assert isinstance(stored, Stored)
        state = await world.state(stored.workflow_id)
        found[str(place)] = (state.status.value, dict(stored.outputs))
    return found


async def drained(world: World, made: Consumer) -> None:
    while await world.inbox():
        await made.consume()


async def delivered(chance: random.Random | None) -> Ends:
    """Run workflows to their ends; with chance, results come one to five times and shuffled."""
    async with opened() as world:
        await world.register(*STAGES)
        ids = [await world.start(key=f"job-{number}") for number in range(WORKFLOWS)]
        made, sent = await consumer(world, batch=7), list[Message]()
        while tasks := await world.claim(*AGENTS):
            results = [
                Message(task.task_id.partition("/")[0], answer(world, task)) for task in tasks
            ]
            if chance is not None:
                results = shuffled(results, sent, chance)
            for message in results:
                await world.backend.bus.publish(Topic.INBOX, [message], world.clock.now_ms())
            await drained(world, made)
        assert await world.inbox() == []
        return await ends(world, ids)


def shuffled(results: list[Message], sent: list[Message], chance: random.Random) -> list[Message]:
    """Each one to five times; some of what came long ago comes again as well."""
    late = chance.sample(sent, min(len(sent), 20))
    sent += results
    found = [message for message in results for _ in range(chance.randint(1, 5))] + late
    chance.shuffle(found)
    return found


@pytest.mark.parametrize("seed", range(SEED, SEED + 5))
async def test_repeated_and_shuffled_results_lead_to_the_same_ends(seed: int) -> None:
    in_order = await delivered(None)
    assert {status for status, _ in in_order.values()} == {"completed"}
    assert await delivered(random.Random(seed)) == in_order


# --- a join of a thousand branches ----------------------------------------------------------------

BRANCHES = 1_000


async def completions(world: World, workflow_id: str, stage: str) -> int:
    """How often a stage has completed, by the log."""
    log = await world.backend.store.log(workflow_id, "steps", 0, 10_000)
    events = [event for body in log for event in decode_step(body).events]
    return sum(isinstance(event, StageComplete) and event.stage == stage for event in events)


async def joined(world: World) -> tuple[str, list[ClaimedTask]]:
    """Start a workflow with a thousand branches; return their tasks."""
    branches: list[Any] = [[agent(f"b{number}", agent="worker")] for number in range(BRANCHES)]
    await world.register(parallel("all", *branches), agent("after"))
    workflow_id = await world.start()
    tasks = await world.claim("worker", slots=BRANCHES)
    assert len(tasks) == BRANCHES
    return workflow_id, tasks


async def survived_join(batch: int) -> None:
    """Deliver a thousand branches' results shuffled and repeated; kill their reader once."""
    chance = random.Random(SEED + batch)
    async with opened() as world:
        workflow_id, tasks = await joined(world)
        *first, last = chance.sample(tasks, BRANCHES)
        results = [answer(world, task) for task in first for _ in range(chance.randint(1, 5))]
        chance.shuffle(results)
        made = await consumer(world, batch=batch)
        for start in range(0, len(results), 500):
            for body in results[start : start + 500]:
                await world.publish(workflow_id, body)
            await made.consume()
            if start == 1_000:  # killed, with the inbox half read: who follows is careful
                made = await consumer(world, batch=batch)
        await drained(world, made)
        assert await completions(world, workflow_id, "all") == 0
        for _ in range(3):
            await world.publish(workflow_id, answer(world, last))
        await drained(world, made)
        assert await completions(world, workflow_id, "all") == 1
        assert [task.task_id.split("/")[1] for task in await world.claim("after")] == ["after"]


async def test_a_join_of_a_thousand_branches_completes_once_and_after_the_last() -> None:
    await survived_join(batch=1_000)


@pytest.mark.parametrize(("harm", "moment"), [("kill", "after"), ("stall", "before")])
async def test_a_join_that_many_runners_decide_completes_once(harm: Harm, moment: Moment) -> None:
    chance = random.Random(f"{SEED} {harm}")
    numbers = [number for number in range(1, 2_000) if chance.random() < 0.03]
    run = await crashed_at(memory, *numbers, moment=moment, harm=harm, kind=joining(150))
    assert run.violations == [], run.hits
    assert run.hits

"""What the backend costs a server: memory, connections, and calls while nothing happens."""

from __future__ import annotations

import asyncio
from typing import Any

from stagewright.ports.message_bus import Topic
from stagewright.ports.task_queue import Completion
from stagewright.ports.workflow_store import Commit
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import drive
from stagewright.testing.contracts.samples import (
    claim,
    committed,
    entry,
    inbox,
    lease_of,
    start,
    task,
    then,
    workflow,
)
from tests.adapters.redis.conftest import Redises
from tests.adapters.redis.scenario import live

STAGES = ("initialization", "scaffolding", "validation", "e2e", "integration", "deployment")
IDS = [workflow(number, number % 4) for number in range(200)]
RECORD, SNAPSHOT, PAYLOAD = b"r" * 200, b"s" * 800, b"p" * 200


def step(id_: str, last: Commit | None, stage: str | None, parts: dict[str, Any]) -> Commit:
    """Return a workflow's next step: into a stage, or to its end."""
    parts = parts | {"snapshot": SNAPSHOT, "log": (RECORD,)}
    if stage is not None:
        parts["new_tasks"] = (task(id_, stage, body=PAYLOAD),)
    else:
        parts["index"] = entry(status="completed", waiting=())
    return start(id_, **parts) if last is None else then(last, **parts)


async def work(redis: Redises, clock: VirtualClock, stage: str) -> dict[str, dict[str, Any]]:
    """Finish a stage of every workflow; return what their next steps have to say of it."""
    tasks = redis.backend.tasks
    claimed = await tasks.claim(claim(slots=len(IDS)), clock.now_ms())
    results = [Completion(each.task_id, each.token, each.task_id.encode()) for each in claimed]
    await tasks.complete(results, None, clock.now_ms())
    positions = {found.body.decode(): found.position for found in await inbox(redis.backend, clock)}
    return {
        each.task_id.partition("/")[0]: {
            "outputs": {f"{stage}/1": PAYLOAD},
            "fences": (lease_of(each),),
            "closed_tasks": (each.task_id,),
            "consumed": (positions[each.task_id],),
        }
        for each in claimed
    }


async def used_bytes(redis: Redises) -> int:
    """Return what all keys of the namespace take, their names and places included."""
    keys = await redis.plain.keys(f"{redis.options.namespace}:*")
    sizes = [await redis.plain.memory_usage(key, samples=0) for key in keys]
    return sum(sizes)


async def test_a_finished_workflow_of_six_stages_takes_less_than_eight_kilobytes(
    redis: Redises, clock: VirtualClock
) -> None:
    empty = await used_bytes(redis)
    last: dict[str, Commit] = {}
    parts: dict[str, dict[str, Any]] = {id_: {} for id_ in IDS}
    for stage in (*STAGES, None):
        last = {id_: step(id_, last.get(id_), stage, parts[id_]) for id_ in IDS}
        await committed(redis.backend, clock, *last.values())
        parts = await work(redis, clock, stage) if stage else parts
    assert (await used_bytes(redis) - empty) / len(IDS) < 8_000


async def test_nothing_of_a_finished_task_is_left(redis: Redises, clock: VirtualClock) -> None:
    first = start(IDS[0], new_tasks=(task(IDS[0], "build"),))
    await committed(redis.backend, clock, first)
    parts = await work(redis, clock, "build")
    await committed(redis.backend, clock, then(first, **parts[IDS[0]]))
    part = redis.keys.of(IDS[0])
    assert await redis.plain.exists(part.tasks, part.queue, part.leases) == 0
    assert await redis.plain.xlen(part.inbox) == 0


async def test_waiting_for_ten_seconds_in_vain_asks_each_partition_once_a_second(
    redis: Redises, clock: VirtualClock
) -> None:
    asked, read = await redis.calls_of("fcall_ro"), await redis.calls_of("xread")
    receiving = redis.backend.bus.receive(
        dict.fromkeys(range(4), ""), 10, 10, clock.now_ms(), 1_000
    )
    await drive(clock, receiving)
    assert await redis.calls_of("fcall_ro") - asked <= 4 * 12
    assert await redis.calls_of("xread") - read <= 2


async def test_a_hundred_callers_share_a_bounded_number_of_connections(
    redis: Redises, clock: VirtualClock
) -> None:
    starts = [start(workflow(number, number % 4)) for number in range(100)]
    await asyncio.gather(*(committed(redis.backend, clock, first) for first in starts))
    names = [client["name"] for client in await redis.plain.client_list()]
    assert names.count("stagewright") <= 16 + 1


async def test_subscriptions_share_one_connection(redis: Redises) -> None:
    subscribe = redis.backend.bus.subscribe
    async with subscribe(Topic.WAKE), subscribe(Topic.DELTAS), subscribe(Topic.DELTAS, IDS[0]):
        clients = await redis.plain.client_list()
        listening = [client for client in clients if int(client["sub"]) + int(client["psub"])]
        assert [client["name"] for client in listening] == ["stagewright"]
        assert (listening[0]["sub"], listening[0]["psub"]) == ("5", "1")


async def test_streams_have_no_consumer_groups(redis: Redises, clock: VirtualClock) -> None:
    await live(redis.backend, clock)
    for part in redis.keys.partitions:
        for stream in (part.inbox, part.feed):
            assert await redis.plain.xinfo_groups(stream) == []


async def test_the_feed_of_one_call_is_one_entry(redis: Redises, clock: VirtualClock) -> None:
    here = [workflow(number, 1) for number in range(50)]
    await committed(redis.backend, clock, *(start(id_) for id_ in here))
    assert await redis.plain.xlen(redis.keys.partitions[1].feed) == 1
    entries, _ = await redis.backend.bus.replay(None, 100)
    assert [entry.workflow_id for entry in entries] == here

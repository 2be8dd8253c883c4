"""What the backend costs a server: memory, connections, and calls while nothing happens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stagewright.adapters.redis import open_backend, workflow_store
from stagewright.adapters.redis.library import library
from stagewright.ports.commit import Commit
from stagewright.ports.message_bus import Topic
from stagewright.ports.task_queue import Completion
from stagewright.ports.workflow_store import Query, Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once, drive
from stagewright.testing.contracts.samples import (
    claim,
    committed,
    entry,
    inbox,
    lease_of,
    published,
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


async def test_waiting_in_vain_asks_each_partition_less_and_less(
    redis: Redises, clock: VirtualClock
) -> None:
    asked, read = await redis.calls_of("fcall_ro"), await redis.calls_of("xread")
    receiving = redis.backend.bus.receive(
        dict.fromkeys(range(4), ""), 10, 60, clock.now_ms(), 1_000
    )
    await drive(clock, receiving)
    assert await redis.calls_of("fcall_ro") - asked <= 4 * 11
    assert await redis.calls_of("xread") - read <= 2


async def test_a_reader_that_returned_for_a_timer_still_waits_for_messages(
    redis: Redises, clock: VirtualClock
) -> None:
    due_at_ms = clock.now_ms() + 3_000
    await committed(redis.backend, clock, start(IDS[0], timers={"t": due_at_ms}))
    read = await redis.calls_of("xread")
    for _ in range(5):
        receiving = redis.backend.bus.receive({0: ""}, 10, 60, clock.now_ms(), 1_000)
        assert len((await drive(clock, receiving)).timers) == 1
    assert await redis.calls_of("xread") - read <= 1


async def test_a_busy_inbox_is_read_without_asking_each_time_what_is_due(
    redis: Redises, clock: VirtualClock
) -> None:
    asked, position = await redis.calls_of("fcall_ro"), ""
    for number in range(20):
        await published(redis.backend, clock, workflow(1, 1), b"%d" % number)
        receiving = redis.backend.bus.receive({1: position}, 10, 60, clock.now_ms(), 1_000)
        (message,) = (await at_once(receiving)).messages
        position = message.position
    assert await redis.calls_of("fcall_ro") - asked <= 1


async def test_a_timer_that_this_process_set_is_noticed_on_time(
    redis: Redises, clock: VirtualClock
) -> None:
    due_at_ms = clock.now_ms() + 300
    await redis.backend.bus.receive({0: ""}, 10, 0, clock.now_ms(), 1_000)
    await committed(redis.backend, clock, start(IDS[0], timers={"t": due_at_ms}))
    receiving = redis.backend.bus.receive({0: ""}, 10, 60, clock.now_ms(), 1_000)
    assert len((await drive(clock, receiving)).timers) == 1
    assert clock.now_ms() - due_at_ms < 500


async def test_a_timer_that_another_process_set_is_noticed_on_time(
    redis: Redises, clock: VirtualClock
) -> None:
    receiving = redis.backend.bus.receive({0: ""}, 10, 60, clock.now_ms(), 1_000)
    reading = asyncio.ensure_future(receiving)
    await drive(clock, clock.sleep(20))  # by now it looks every ten seconds
    due_at_ms = clock.now_ms() + 300
    async with open_backend(redis.url, redis.options, clock) as other:
        await committed(other, clock, start(IDS[0], timers={"t": due_at_ms}))
    assert len((await drive(clock, reading)).timers) == 1
    assert clock.now_ms() - due_at_ms < 1_000


async def test_a_page_looks_at_a_bounded_number_of_rows(
    redis: Redises, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_store, "ROWS_LOOKED_AT", 20)
    await committed(redis.backend, clock, *(start(id_, index=entry(key=id_)) for id_ in IDS))
    rare = Query(text=IDS[0], oldest_first=False)
    page = await redis.backend.store.query(rare)
    assert (list(page.rows), page.cursor is None) == ([], False)
    while not page.rows:
        page = await redis.backend.store.query(replace(rare, cursor=page.cursor))
    assert [row.workflow_id for row in page.rows] == [IDS[0]]


async def test_old_entries_leave_the_feed(redis: Redises, clock: VirtualClock) -> None:
    await committed(redis.backend, clock, first := start(IDS[0]))
    clock.set_ms(clock.now_ms() + round(redis.options.feed_retention_s * 1000) + 1)
    await committed(redis.backend, clock, then(first))
    assert await redis.plain.xlen(redis.keys.of(IDS[0]).feed) == 1


async def test_a_workflow_started_over_an_expired_tombstone_has_no_end(
    redis: Redises, clock: VirtualClock
) -> None:
    await committed(redis.backend, clock, first := start(IDS[0]))
    stone = Tombstone(IDS[0], "completed", "00", clock.now_ms() + 60_000)
    await redis.backend.store.forget(IDS[0], first.step_id, stone)
    clock.set_ms(stone.expires_at_ms)
    await committed(redis.backend, clock, first)
    assert await redis.plain.pttl(redis.keys.of(IDS[0]).workflow(IDS[0])) == -1


async def test_a_hundred_callers_share_a_bounded_number_of_connections(
    redis: Redises, clock: VirtualClock
) -> None:
    starts = [start(workflow(number, number % 4)) for number in range(100)]
    await asyncio.gather(*(committed(redis.backend, clock, first) for first in starts))
    names = [client["name"] for client in await redis.plain.client_list()]
    assert names.count(library().name) <= 16 + 1


async def test_subscriptions_share_one_connection(redis: Redises) -> None:
    subscribe = redis.backend.bus.subscribe
    async with subscribe(Topic.WAKE), subscribe(Topic.DELTAS), subscribe(Topic.DELTAS, IDS[0]):
        clients = await redis.plain.client_list()
        listening = [client for client in clients if int(client["sub"]) + int(client["psub"])]
        assert [client["name"] for client in listening] == [library().name]
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

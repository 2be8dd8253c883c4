"""Clocks that disagree, keys that were meddled with, values that nobody asks for any more."""

from __future__ import annotations

import asyncio

import pytest

from stagewright.adapters.redis import listeners, open_backend
from stagewright.adapters.redis.keys import partition_count
from stagewright.domain.errors import CursorExpired
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import (
    claim,
    committed,
    queued,
    received,
    start,
    task,
    then,
    workflow,
)
from tests.adapters.redis.conftest import Redises

ONE = workflow(1)
HOUR_MS = 3_600_000


async def test_a_feed_keeps_its_order_when_a_clock_was_ahead(
    redis: Redises, clock: VirtualClock
) -> None:
    fast = VirtualClock(clock.now_ms() + HOUR_MS)
    steps = [start(ONE, log=(b"1",))]
    steps += [then(steps[0], log=(b"2",))]
    steps += [then(steps[1], log=(b"3",))]
    for step, time in zip(steps, (clock, fast, clock), strict=True):
        await committed(redis.backend, time, step)
    entries, _ = await redis.backend.bus.replay(None, 10)
    assert [entry.body for entry in entries] == [b"1", b"2", b"3"]


async def test_a_queued_name_without_a_task_stands_in_nobodys_way(
    redis: Redises, clock: VirtualClock
) -> None:
    queue = redis.keys.of(ONE).queue
    await redis.plain.zadd(queue, {f"build@1.0|0|{0:015d}|{ONE}/ghost/1/1": 0})
    await queued(redis.backend, clock, task(ONE))
    assert [depth.priority for depth in await redis.backend.tasks.depths()] == [0, 2]
    claimed = await redis.backend.tasks.claim(claim(), clock.now_ms())
    assert [found.task_id for found in claimed] == [f"{ONE}/build/1/1"]
    assert await redis.plain.exists(queue) == 0


async def test_values_whose_time_has_come_are_removed_by_who_looks_for_them(
    redis: Redises, clock: VirtualClock
) -> None:
    kv, (values, names) = redis.backend.kv, redis.keys.values
    for number in range(5):
        await kv.set(f"runner:{number}", b"alive", 10, clock.now_ms())
    await kv.set("runner:5", b"alive", 20, clock.now_ms())
    assert list(await kv.scan("runner:", clock.now_ms() + 10_000)) == ["runner:5"]
    assert await redis.plain.hlen(values) == await redis.plain.zcard(names) == 1


async def test_keys_that_were_all_deleted_leave_the_number_of_partitions_as_it_was(
    redis: Redises, clock: VirtualClock
) -> None:
    before = (await received(redis.backend, clock)).marks[1].incarnation
    doomed = await redis.plain.keys(f"{redis.options.namespace}:*")
    await redis.plain.delete(*doomed)
    assert (await received(redis.backend, clock)).marks[1].incarnation != before
    assert await redis.plain.get(partition_count(redis.options.namespace)) == b"4"
    async with open_backend(redis.url, redis.options, clock) as again:
        assert again.partitions == 4


async def test_entries_kept_long_enough_are_gone_for_readers_before_anyone_trims_them(
    redis: Redises, clock: VirtualClock
) -> None:
    _, begun = await redis.backend.bus.replay(None, 10)
    await committed(redis.backend, clock, start(ONE))
    clock.set_ms(clock.now_ms() + round(redis.options.feed_retention_s * 1000) + 1)
    entries, _ = await redis.backend.bus.replay(None, 10)
    assert list(entries) == []
    with pytest.raises(CursorExpired):
        await redis.backend.bus.replay(begun, 10)


async def test_a_silent_line_is_asked_whether_it_is_there_and_stays_in_use(
    redis: Redises, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "SILENCE_S", 0.01)
    pings = await redis.calls_of("ping")
    async with redis.backend.bus.subscribe(Topic.WAKE) as listener:
        async with asyncio.timeout(10):
            while await redis.calls_of("ping") < pings + 3:  # noqa: ASYNC110  # the server's count
                await asyncio.sleep(0.01)
        await redis.backend.bus.publish(Topic.WAKE, [Message(ONE, b"a@1.0")], clock.now_ms())
        assert (await at_once(anext(listener))).body == b"a@1.0"
    assert len(await redis.plain.client_list()) <= 1 + 3

"""What strangers write straight into an inbox is bounded, and never read if it is too large."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from stagewright.ports.message_bus import InboxMessage, Received
from stagewright.ports.task import TaskLease
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import published, workflow
from tests.adapters.redis.conftest import Redises

ONE = workflow(1)
LARGEST = 100_000
HUGE = 10 << 20


async def receive(redis: Redises, clock: VirtualClock, wait_s: float = 0.0) -> Received:
    return await redis.backend.bus.receive({1: ""}, 100, wait_s, clock.now_ms(), LARGEST)


async def messages(redis: Redises, clock: VirtualClock) -> Sequence[InboxMessage]:
    return (await receive(redis, clock)).messages


async def write(redis: Redises, fields: dict[str, bytes]) -> None:
    """Write as redis-cli does: XADD on the inbox's key."""
    await redis.plain.xadd(redis.keys.partitions[1].inbox, fields)  # type: ignore[arg-type]


async def test_a_huge_entry_is_measured_and_its_neighbours_are_read(
    redis: Redises, clock: VirtualClock
) -> None:
    await published(redis.backend, clock, ONE, b"before")
    await write(redis, {"body": b"x" * HUGE})
    await published(redis.backend, clock, ONE, b"behind")
    before, huge, behind = await messages(redis, clock)
    assert (before.body, behind.body) == (b"before", b"behind")
    assert (huge.body, huge.oversize_bytes) == (b"", HUGE)


async def test_a_huge_entry_is_never_in_memory(redis: Redises, clock: VirtualClock) -> None:
    await write(redis, {"body": b"x" * HUGE})
    await receive(redis, clock)
    tracemalloc.start()
    try:
        await receive(redis, clock)
        assert tracemalloc.get_traced_memory()[1] < LARGEST * 8
    finally:
        tracemalloc.stop()


async def test_a_huge_entry_that_arrives_meanwhile_wakes_the_reader(
    redis: Redises, clock: VirtualClock
) -> None:
    reading = asyncio.ensure_future(receive(redis, clock, 60))
    await asyncio.sleep(0.02)
    await write(redis, {"body": b"x" * HUGE})
    (huge,) = (await reading).messages
    assert huge.oversize_bytes == HUGE


async def test_an_entry_of_very_many_small_fields_is_not_read_either(
    redis: Redises, clock: VirtualClock
) -> None:
    await write(redis, {f"field-{number}": b"x" * 100 for number in range(200_000)})
    (huge,) = await messages(redis, clock)
    assert huge.body == b""
    assert huge.oversize_bytes is not None
    assert huge.oversize_bytes > 20_000_000


async def test_a_huge_entry_is_rejected_with_its_first_kibibyte(
    redis: Redises, clock: VirtualClock
) -> None:
    await write(redis, {"body": b"x" * HUGE})
    (huge,) = await messages(redis, clock)
    await redis.backend.bus.reject(huge, "too large", clock.now_ms())
    (letter,) = await redis.backend.dead_letters.list()
    assert (letter.body, letter.reason, letter.workflow_id) == (b"x" * 1_024, "too large", None)
    assert await messages(redis, clock) == []


@pytest.mark.parametrize("size", [10, HUGE])
async def test_a_strangers_second_field_is_no_proof_of_a_lease(
    redis: Redises, clock: VirtualClock, size: int
) -> None:
    await write(redis, {ONE: b"x" * size, "task": b"5"})
    await write(redis, {ONE: b"x" * size, f"{ONE}/a/1/1": b"five"})
    await write(redis, {ONE: b"x" * size, f"{ONE}/a/1/1": b"5"})
    first, second, third = await messages(redis, clock)
    assert (first.lease, second.lease) == (None, None)
    assert third.lease == TaskLease(f"{ONE}/a/1/1", 5)  # only a proof that the step must accept
    if size < LARGEST:
        assert first.body == b" ".join((ONE.encode(), b"x" * size, b"task", b"5"))


@pytest.mark.parametrize("name", ["body", ONE])
async def test_a_stranger_may_name_its_one_field_as_it_likes(
    redis: Redises, clock: VirtualClock, name: str
) -> None:
    await write(redis, {name: b"{}"})
    (message,) = await messages(redis, clock)
    assert message.body == b"{}"


async def test_an_entry_of_another_shape_keeps_all_its_words(
    redis: Redises, clock: VirtualClock
) -> None:
    await write(redis, {"a": b"1", "b": b"2"})
    (message,) = await messages(redis, clock)
    assert message.body == b"a 1 b 2"
    await redis.backend.bus.reject(message, "not JSON", clock.now_ms())
    (letter,) = await redis.backend.dead_letters.list()
    assert (letter.body, letter.workflow_id) == (b"a 1 b 2", None)

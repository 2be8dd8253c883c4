"""Draining what the owner before left."""

from __future__ import annotations

import pytest

from stagewright.application.takeover import MESSAGES, TRIES, Takeover
from tests.unit.application.world import World


def takeover(world: World, partition: int = 0) -> Takeover:
    return Takeover(world.backend.kv, world.clock, partition)


async def begun(world: World) -> Takeover:
    made = takeover(world)
    await made.begin()
    return made


async def test_the_first_owner_need_not_be_careful(world: World) -> None:
    assert not (await begun(world)).careful


async def test_who_finds_the_mark_of_a_drain_that_did_not_end_is_careful(world: World) -> None:
    await begun(world)
    assert (await begun(world)).careful


async def test_who_comes_after_a_drain_that_ended_need_not_be_careful(world: World) -> None:
    await (await begun(world)).end()
    assert not (await begun(world)).careful


async def test_partitions_are_drained_on_their_own(world: World) -> None:
    await begun(world)
    other = takeover(world, 1)
    await other.begin()
    assert not other.careful


async def test_each_owner_counts_one_try_however_often_it_reads(world: World) -> None:
    for owner in range(1, TRIES + 2):
        made = await begun(world)
        assert [await made.tries("7"), await made.tries("7")] == [owner, owner]


async def test_tries_are_counted_by_what_was_tried(world: World) -> None:
    made = await begun(world)
    await made.tries("7")
    assert await made.tries("8") == 1


@pytest.mark.parametrize(("messages", "over"), [(0, True), (255, True), (256, False)])
async def test_a_batch_that_was_not_full_is_the_last(
    world: World, messages: int, over: bool
) -> None:
    assert (await begun(world)).over(messages, 256) is over


async def test_a_drain_ends_after_so_many_messages_though_more_keep_coming(world: World) -> None:
    made = await begun(world)
    rounds = 1
    while not made.over(256, 256):
        rounds += 1
    assert rounds == MESSAGES // 256

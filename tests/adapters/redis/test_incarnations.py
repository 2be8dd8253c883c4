"""A partition that may have lost commits goes on in another incarnation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from stagewright.adapters.redis import open_backend
from stagewright.domain.errors import CursorExpired, Unreachable
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.commit import Commit
from stagewright.ports.message_bus import PartitionMark
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    queued,
    received,
    start,
    task,
    then,
    workflow,
)
from stagewright.testing.failover import Forwarder, RedisPair
from stagewright.testing.servers import RedisServer
from tests.adapters.redis.conftest import Redises

ONE = workflow(1)


@dataclass
class Site:
    """A master and its replica behind one address."""

    pair: RedisPair
    forwarder: Forwarder
    options: BackendOptions
    clock: VirtualClock

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Backend]:
        async with open_backend(self.forwarder.url, self.options, self.clock) as backend:
            yield backend

    async def fail_over(self, *backends: Backend) -> None:
        """Promote, and wait until everyone has noticed that the line was cut."""
        self.pair.promote()
        self.forwarder.switch(self.pair.master.port)
        for backend in backends:
            while not (await backend.store.health()).ok:
                pass

    async def mark(self, backend: Backend) -> PartitionMark:
        self.clock.set_ms(self.clock.now_ms() + 1_000)
        while True:  # a line that was cut may not have been noticed
            with suppress(Unreachable):
                return (await received(backend, self.clock)).marks[1]


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisPair]:
    with RedisPair() as started:
        yield started


@pytest.fixture
async def site(
    pair: RedisPair, options: BackendOptions, clock: VirtualClock
) -> AsyncIterator[Site]:
    async with Forwarder(pair.master.port).running() as forwarder:
        yield Site(pair, forwarder, options, clock)
    if pair.replica.pid is None:
        pair.recruit()


async def steps(backend: Backend, clock: VirtualClock, commit: Commit, count: int) -> Commit:
    for _ in range(count):
        await committed(backend, clock, commit := then(commit))
    return commit


async def begun(backend: Backend, clock: VirtualClock) -> Commit:
    await committed(backend, clock, first := start(ONE))
    return first


async def test_a_promoted_replica_goes_on_in_another_incarnation(site: Site) -> None:
    async with site.opened() as backend:
        await committed(backend, site.clock, start(ONE))
        before = await site.mark(backend)
        site.pair.settle()
        await site.fail_over(backend)
        after = await site.mark(backend)
        assert after.incarnation != before.incarnation
        assert after.commits == before.commits
        assert await site.mark(backend) == after


async def test_what_was_lost_is_told_even_if_the_counter_has_overtaken_itself(site: Site) -> None:
    async with site.opened() as watching, site.opened() as working:
        await committed(working, site.clock, first := start(ONE))
        site.pair.settle()
        site.pair.cut()
        await steps(working, site.clock, first, 3)
        before = await site.mark(watching)
        await site.fail_over(watching, working)
        await steps(working, site.clock, first, 9)
        after = await site.mark(watching)
        assert (before.commits, after.commits) == (4, 10)
        assert after.incarnation != before.incarnation


async def test_tokens_that_are_lost_are_not_drawn_again(site: Site) -> None:
    async with site.opened() as backend:
        await queued(backend, site.clock, task(ONE))
        site.pair.settle()
        site.pair.cut()
        lost = await claimed_one(backend, site.clock)
        await site.fail_over(backend)
        again = await claimed_one(backend, site.clock)
        assert again.task_id == lost.task_id
        assert again.token > lost.token + 1_000


async def test_whoever_read_the_feed_of_the_lost_history_is_told(site: Site) -> None:
    async with site.opened() as backend:
        await committed(backend, site.clock, start(ONE))
        _, cursor = await backend.bus.replay(None, 10)
        site.pair.settle()
        await site.fail_over(backend)
        await site.mark(backend)
        with pytest.raises(CursorExpired):
            await backend.bus.replay(cursor, 10)


async def test_a_server_that_comes_back_with_everything_is_the_same_incarnation(
    options: BackendOptions, clock: VirtualClock
) -> None:
    with RedisServer(appendonly="always") as server:
        async with open_backend(server.url, options, clock) as backend:
            await committed(backend, clock, start(ONE))
            before = (await received(backend, clock)).marks[1]
            await asyncio.to_thread(server.restart)
            assert (await received(backend, clock)).marks[1] == before


async def test_a_counter_that_went_back_begins_another_incarnation_once(
    redis: Redises, clock: VirtualClock
) -> None:
    async with open_backend(redis.url, redis.options, clock) as other:
        await committed(redis.backend, clock, start(ONE))
        before = [(await received(backend, clock)).marks[1] for backend in (redis.backend, other)]
        await redis.plain.hset(redis.keys.partitions[1].marks, "commits", 0)
        after = [(await received(backend, clock)).marks[1] for backend in (redis.backend, other)]
    assert before[0] == before[1]
    assert after[0] == after[1] == PartitionMark(after[0].incarnation, 0)
    assert after[0].incarnation != before[0].incarnation


async def test_a_server_that_comes_back_with_less_is_told_even_if_it_has_caught_up_since(
    options: BackendOptions, clock: VirtualClock
) -> None:
    with RedisServer() as server:
        opening = (open_backend(server.url, options, clock) for _ in range(2))
        async with next(opening) as watching, next(opening) as working:
            saved = await steps(working, clock, await begun(working, clock), 1)
            server.ask("SAVE")
            await steps(working, clock, saved, 2)
            before = (await received(watching, clock)).marks[1]
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await steps(working, clock, saved, 9)
            after = (await received(watching, clock)).marks[1]
    assert (before.commits, after.commits) == (4, 11)
    assert after.incarnation != before.incarnation


async def test_where_nobody_may_ask_the_server_about_itself_all_else_works(
    redis: Redises, clock: VirtualClock
) -> None:
    await redis.plain.execute_command(
        "ACL SETUSER", "blind", "on", ">secret", "~*", "&*", "+@all", "-info"
    )
    url = redis.url.replace("//", "//blind:secret@")
    async with open_backend(url, redis.options, clock) as backend:
        await queued(backend, clock, task(ONE))
        assert (await claimed_one(backend, clock)).task_id == task(ONE).task_id
        assert (await received(backend, clock)).marks[1].commits == 1

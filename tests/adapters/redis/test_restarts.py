"""The server goes and comes back; nobody has to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from stagewright.adapters.redis import open_backend
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import Unreachable
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.commit import Verdict
from stagewright.ports.message_bus import Message, Received, Topic
from stagewright.ports.workflow_store import Stored
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import start, then, workflow
from stagewright.testing.servers import RedisServer, free_port

ONE = workflow(1)


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="always") as started:
        yield started


@pytest.fixture
async def backend(
    server: RedisServer, options: BackendOptions, clock: SystemClock
) -> AsyncIterator[Backend]:
    async with open_backend(server.url, options, clock) as opened:
        yield opened


async def restart(server: RedisServer) -> None:
    await asyncio.to_thread(server.restart)


async def publish(backend: Backend, clock: SystemClock, body: bytes) -> None:
    await backend.bus.publish(Topic.INBOX, [Message(ONE, body)], clock.now_ms())


def receive(backend: Backend, clock: SystemClock, wait_s: float) -> asyncio.Task[Received]:
    reading = backend.bus.receive({1: ""}, 10, wait_s, clock.now_ms(), 1_000)
    return asyncio.ensure_future(reading)


async def test_calls_work_at_once_after_a_restart(
    server: RedisServer, backend: Backend, clock: SystemClock
) -> None:
    first = start(ONE)
    await backend.store.commit([first], clock.now_ms())
    await restart(server)
    assert await backend.store.commit([then(first)], clock.now_ms()) == [Verdict.COMMITTED]


async def test_functions_that_were_flushed_are_loaded_again(
    backend: Backend, server: RedisServer, clock: SystemClock
) -> None:
    async with Redis.from_url(server.url, protocol=2) as plain:
        await plain.execute_command("FUNCTION FLUSH")
    starts = [start(workflow(number, number % 4)) for number in range(8)]
    assert await backend.store.commit(starts, clock.now_ms()) == [Verdict.COMMITTED] * 8
    loaded = await backend.store.load([first.workflow_id for first in starts])
    assert all(isinstance(found, Stored) for found in loaded)


async def test_a_server_that_lost_everything_is_used_like_a_new_one(
    options: BackendOptions, clock: SystemClock
) -> None:
    with RedisServer() as server:
        async with open_backend(server.url, options, clock) as backend:
            await backend.store.commit([start(ONE)], clock.now_ms())
            before = (await receive(backend, clock, 0)).marks[1]
            await restart(server)
            after = (await receive(backend, clock, 0)).marks[1]
            assert after.incarnation != before.incarnation
            assert (before.commits, after.commits) == (1, 0)
            assert await backend.store.commit([start(ONE)], clock.now_ms()) == [Verdict.COMMITTED]


async def test_a_waiting_reader_outlives_a_restart(
    server: RedisServer, backend: Backend, clock: SystemClock
) -> None:
    reading = receive(backend, clock, 30)
    await asyncio.sleep(0.05)
    await restart(server)
    await publish(backend, clock, b"news")
    assert [message.body for message in (await at_once(reading)).messages] == [b"news"]


async def test_a_listener_hears_again_after_a_restart(
    server: RedisServer, backend: Backend, clock: SystemClock
) -> None:
    async with backend.bus.subscribe(Topic.WAKE) as listener:
        await restart(server)
        while True:  # hints are lost until the line is up again
            await backend.bus.publish(Topic.WAKE, [Message(ONE, b"a@1.0")], clock.now_ms())
            try:
                async with asyncio.timeout(0.2):
                    hint = await anext(listener)
            except TimeoutError:
                continue
            assert hint.body == b"a@1.0"
            return


async def test_a_server_that_stays_away_is_unreachable_when_the_wait_is_over(
    server: RedisServer, backend: Backend, clock: SystemClock
) -> None:
    server.kill()
    with pytest.raises(Unreachable, match="Redis does not answer"):
        await receive(backend, clock, 0.2)
    with pytest.raises(Unreachable):
        await backend.store.load([ONE])
    assert (await backend.store.health()).ok is False


async def test_a_server_that_is_not_there_cannot_be_opened(
    options: BackendOptions, clock: SystemClock
) -> None:
    with pytest.raises(Unreachable, match="Redis does not answer"):
        async with open_backend(f"redis://127.0.0.1:{free_port()}/0", options, clock):
            pass

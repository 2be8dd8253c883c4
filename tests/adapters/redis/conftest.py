"""A server for the module, a namespace for each test, and a plain connection to look behind."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.keys import Keys
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.testing.clock import VirtualClock
from stagewright.testing.servers import RedisServer

PARTITIONS = 4

_namespaces = map("n{}".format, itertools.count(1))


@dataclass(frozen=True)
class Redises:
    """One namespace, seen through the adapter and through redis-cli's eyes."""

    backend: Backend
    keys: Keys
    plain: Redis
    url: str
    options: BackendOptions

    async def calls_of(self, command: str) -> int:
        """Return how often the server has run a command."""
        stats: dict[str, Any] = await self.plain.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
def options() -> BackendOptions:
    return BackendOptions(namespace=next(_namespaces), partitions=PARTITIONS)


@pytest.fixture
async def plain(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url, protocol=2) as connection:
        yield connection


@pytest.fixture
async def redis(
    server: RedisServer, options: BackendOptions, clock: VirtualClock, plain: Redis
) -> AsyncIterator[Redises]:
    async with open_backend(server.url, options, clock) as backend:
        keys = Keys(options.namespace, PARTITIONS)
        yield Redises(backend, keys, plain, server.url, options)


@pytest.fixture
def backend(redis: Redises) -> Backend:
    return redis.backend

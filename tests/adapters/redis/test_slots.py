"""Everything one call touches lies in one slot, so a cluster needs no other calls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.connection import Argument, Client, Command
from stagewright.adapters.redis.library import library
from stagewright.ports.backend import BackendOptions
from stagewright.testing.clock import VirtualClock
from stagewright.testing.servers import RedisServer
from tests.adapters.redis.conftest import Redises
from tests.adapters.redis.scenario import forget, live

TAGS = re.compile(r"n\d+:\{(p\d\d|kv|registry|meta)\}:")


async def keys_of(redis: Redises) -> list[str]:
    return [key.decode() for key in await redis.plain.keys(f"{redis.options.namespace}:*")]


async def test_every_key_carries_a_tag(redis: Redises, clock: VirtualClock) -> None:
    await live(redis.backend, clock)
    keys = await keys_of(redis)
    assert len(keys) > 4 * 12
    assert [key for key in keys if not TAGS.match(key)] == []


async def test_every_key_that_names_a_workflow_carries_its_partitions_tag(
    redis: Redises, clock: VirtualClock
) -> None:
    ids = await live(redis.backend, clock)
    named = [(key, id_) for key in await keys_of(redis) for id_ in ids if id_ in key]
    assert len(named) == 4 * len(ids)  # workflow, log, notes, blobs
    assert [key for key, id_ in named if f"{{{id_[:3]}}}:" not in key] == []


async def test_a_forgotten_workflow_leaves_one_key_that_ends_by_itself(
    redis: Redises, clock: VirtualClock
) -> None:
    (first, *_) = await live(redis.backend, clock)
    await forget(redis.backend, clock, first)
    (left,) = [key for key in await keys_of(redis) if first in key]
    assert 0 < await redis.plain.pttl(left) <= 60_000


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[Argument]]:
    """The keys of every Function call that is made."""
    made: list[list[Argument]] = []
    call_all = Client.call_all

    async def recorded(self: Client, commands: list[Command]) -> list[object]:
        made.extend(
            [command[1], *command[3 : 3 + int(command[2])]]
            for command in commands
            if str(command[0]).startswith("FCALL")
        )
        return await call_all(self, commands)

    monkeypatch.setattr(Client, "call_all", recorded)
    return made


async def test_the_keys_of_each_call_share_a_slot(
    calls: list[list[Argument]], redis: Redises, clock: VirtualClock
) -> None:
    ids = await live(redis.backend, clock)
    await forget(redis.backend, clock, ids[0])
    crossing = [call for call in calls if len({key_slot(str(k).encode()) for k in call[1:]}) > 1]
    assert crossing == []
    used = {name.rpartition("_")[0] for name, *_ in calls if isinstance(name, str)}
    unusual = {"load", "read_inbox", "renew"}  # big logs, big messages, another history
    assert set(library().functions) - used == unusual


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    with RedisServer(options=("--cluster-enabled", "yes")) as server:
        yield server


async def gather_slots(url: str) -> None:
    """Give a node all slots, and wait until it has taken them up."""
    async with Redis.from_url(url) as plain:
        await plain.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        async with asyncio.timeout(20):
            while (await plain.execute_command("CLUSTER INFO"))["cluster_state"] != "ok":  # noqa: ASYNC110  # the state of another process
                await asyncio.sleep(0.01)


async def test_a_node_of_a_cluster_accepts_every_call(
    cluster: RedisServer, clock: VirtualClock
) -> None:
    await gather_slots(cluster.url)
    options = BackendOptions(partitions=1)  # a blocking read over several slots is one per node
    async with open_backend(cluster.url, options, clock) as backend:
        (id_,) = await live(backend, clock)
        await forget(backend, clock, id_)

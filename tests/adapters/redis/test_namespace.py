"""What is settled when a namespace is opened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.namespace import supported
from stagewright.domain.errors import ConfigurationError, UsageError
from stagewright.ports.backend import BackendOptions
from stagewright.ports.dead_letters import DeadLetter
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import committed, inspected, start, workflow
from stagewright.testing.servers import RedisServer
from tests.adapters.redis.conftest import Redises


@pytest.mark.parametrize("wanted", [None, 8])
async def test_the_number_of_partitions_is_that_of_the_creation(
    redis: Redises, clock: VirtualClock, wanted: int | None
) -> None:
    options = replace(redis.options, partitions=wanted)
    async with open_backend(redis.url, options, clock) as again:
        assert again.partitions == 4


async def test_namespaces_of_one_server_know_nothing_of_one_another(
    redis: Redises, clock: VirtualClock
) -> None:
    await committed(redis.backend, clock, start(workflow(1)))
    elsewhere = replace(redis.options, namespace="elsewhere", partitions=7)
    async with open_backend(redis.url, elsewhere, clock) as other:
        assert other.partitions == 7
        assert list(await other.store.load([workflow(1)])) == [None]


@pytest.mark.parametrize("namespace", ["", "a b", "a{b}", "a*", "x" * 65])
async def test_a_namespace_that_keys_cannot_carry_is_refused(
    server: RedisServer, clock: VirtualClock, namespace: str
) -> None:
    with pytest.raises(ConfigurationError, match="namespace"):
        async with open_backend(server.url, BackendOptions(namespace=namespace), clock):
            pass


@pytest.mark.parametrize("partitions", [0, -1, 1_025])
async def test_a_number_of_partitions_out_of_range_is_refused(
    server: RedisServer, clock: VirtualClock, partitions: int
) -> None:
    with pytest.raises(ConfigurationError, match="partitions"):
        async with open_backend(server.url, BackendOptions(partitions=partitions), clock):
            pass


@pytest.mark.parametrize("url", ["http://x", "redis://h:port", "nonsense"])
async def test_a_url_that_is_none_is_refused(clock: VirtualClock, url: str) -> None:
    with pytest.raises(ConfigurationError, match="url"):
        async with open_backend(url, BackendOptions(), clock):
            pass


def test_a_server_without_functions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Redis 6\.2\.14.*7\.0 or newer"):
        supported(b"# Server\r\nredis_version:6.2.14\r\n")
    supported(b"# Server\r\nredis_version:7.0.0\r\n")


STRANGE = ["p09-" + "0" * 32, "nonsense", "", "p-1-x"]


@pytest.mark.parametrize("id_", STRANGE)
async def test_ids_of_no_partition_are_unknown(
    redis: Redises, clock: VirtualClock, id_: str
) -> None:
    store, letters = redis.backend.store, redis.backend.dead_letters
    assert list(await store.load([id_, workflow(1)])) == [None, None]
    assert list(await store.log(id_)) == []
    assert await inspected(redis.backend, id_) == []
    assert await redis.backend.blobs.get(id_, "00") is None
    assert await letters.read(id_) is None
    assert await letters.discard(id_) is await letters.redrive(id_, b"", clock.now_ms()) is False


async def test_a_commit_to_a_partition_that_is_not_there_is_refused(
    redis: Redises, clock: VirtualClock
) -> None:
    with pytest.raises(UsageError, match="names partition 9; this namespace has 4"):
        await committed(redis.backend, clock, start(workflow(1, 9)))


async def test_a_dead_letter_lies_in_the_partition_of_the_step_that_wrote_it(
    redis: Redises, clock: VirtualClock
) -> None:
    letter = DeadLetter("p02-letter", None, "unfit", b"", clock.now_ms())
    with pytest.raises(UsageError, match="letter_id: p02-letter names another partition"):
        await committed(redis.backend, clock, start(workflow(1, 1), dead_letters=(letter,)))

"""With `replicas=1` nothing is acknowledged that only one server has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from stagewright.adapters.redis import node, open_backend
from stagewright.adapters.redis.connection import Address
from stagewright.adapters.redis.health import Health
from stagewright.adapters.redis.keys import Keys
from stagewright.adapters.redis.server import Single
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import ConfigurationError, OutcomeUnknown, StoreFailed
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.workflow_store import Stored
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    published,
    queued,
    start,
    task,
    then,
    workflow,
)
from stagewright.testing.failover import RedisPair
from stagewright.testing.servers import free_port

ONE = workflow(1)
UNKNOWN = "0 of 1 replicas have it"


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisPair]:
    with RedisPair() as started:
        yield started


@pytest.fixture
async def backend(
    pair: RedisPair, options: BackendOptions, clock: VirtualClock
) -> AsyncIterator[Backend]:
    async with open_backend(f"{pair.master.url}?replicas=1", options, clock) as opened:
        yield opened


@asynccontextmanager
async def cut(pair: RedisPair) -> AsyncIterator[None]:
    pair.cut()
    with pytest.MonkeyPatch.context() as hurried:
        hurried.setattr(node, "REPLICAS_S", 0.1)
        try:
            yield
        finally:
            pair.link()


async def test_what_is_answered_is_on_the_replica(
    pair: RedisPair, options: BackendOptions, backend: Backend, clock: VirtualClock
) -> None:
    key = Keys(options.namespace, 4).of(ONE).workflow(ONE)
    await committed(backend, clock, first := start(ONE))
    assert pair.replica.ask("HGET", key, "s") == first.step_id.encode()


async def test_a_commit_that_no_replica_has_is_unknown_and_shows_when_one_has_it(
    pair: RedisPair, backend: Backend, clock: VirtualClock
) -> None:
    await committed(backend, clock, first := start(ONE))
    async with cut(pair):
        with pytest.raises(OutcomeUnknown, match=UNKNOWN):
            await committed(backend, clock, then(first))
    (stored,) = await backend.store.load([ONE])
    assert isinstance(stored, Stored)
    assert stored.step_id == then(first).step_id


async def test_claims_results_and_messages_are_unknown_as_well(
    pair: RedisPair, backend: Backend, clock: VirtualClock
) -> None:
    await queued(backend, clock, task(ONE))
    async with cut(pair):
        with pytest.raises(OutcomeUnknown, match=UNKNOWN):
            await claimed_one(backend, clock)
        with pytest.raises(OutcomeUnknown, match=UNKNOWN):
            await published(backend, clock, ONE, b"news")
        with pytest.raises(OutcomeUnknown, match=UNKNOWN):
            await backend.kv.set("key", b"value", None, clock.now_ms())


async def test_what_another_process_has_written_is_not_acknowledged_either(
    pair: RedisPair, options: BackendOptions, backend: Backend, clock: VirtualClock
) -> None:
    async with cut(pair), open_backend(pair.master.url, options, clock) as careless:
        await committed(careless, clock, start(ONE))
        with pytest.raises(OutcomeUnknown, match=UNKNOWN):
            await backend.store.load([ONE])


async def test_what_promises_nothing_needs_no_replica(
    pair: RedisPair, backend: Backend, clock: VirtualClock
) -> None:
    await committed(backend, clock, start(ONE))
    async with cut(pair):
        assert len(await backend.store.log(ONE)) == 1
        assert await backend.store.counts() == {"running": 1}
        await backend.bus.publish(Topic.WAKE, [Message(ONE, b"a@1.0")], clock.now_ms())


async def test_a_call_that_is_refused_is_refused_and_not_unknown(
    pair: RedisPair, backend: Backend, clock: VirtualClock
) -> None:
    async with cut(pair):
        pair.master.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            with pytest.raises(StoreFailed, match="Nothing was changed"):
                await committed(backend, clock, start(ONE))
        finally:
            pair.master.ask("CONFIG", "SET", "min-replicas-to-write", 0)


async def test_health_names_the_class_and_what_is_missing_for_it(
    pair: RedisPair, backend: Backend
) -> None:
    health = await backend.store.health()
    assert (health.ok, health.durability) == (True, "replicated")
    async with cut(pair):
        health = await backend.store.health()
    assert (health.ok, health.durability) == (False, "replicated")
    assert "nothing can be acknowledged: 0 of 1 replicas" in health.detail


async def test_a_server_that_is_away_has_answered_nothing_that_did_not_wait() -> None:
    server = Single(Address.of(f"redis://127.0.0.1:{free_port()}/?replicas=1"))
    health = await Health(server, SystemClock()).check()
    assert (health.ok, health.durability) == (False, "replicated")


async def test_a_master_that_keeps_nothing_is_no_place_for_promises(
    pair: RedisPair, backend: Backend
) -> None:
    pair.master.ask("CONFIG", "SET", "appendonly", "no")
    health = await backend.store.health()
    pair.master.ask("CONFIG", "SET", "appendonly", "yes")
    assert (health.ok, health.durability) == (True, "none")
    assert "a restart would empty the replicas as well" in health.detail


def test_a_number_of_replicas_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="replicas=many"):
        Address.of("redis://127.0.0.1/?replicas=many")

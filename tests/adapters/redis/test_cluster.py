"""What only a cluster does: its slots move, its masters are replaced, and nobody has to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis.crc import key_slot

from stagewright.adapters.redis import cluster as adapter
from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.cluster import Cluster
from stagewright.adapters.redis.connection import Client, Command
from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.keys import Keys
from stagewright.adapters.redis.node import Node
from stagewright.adapters.redis.opening import server_of
from stagewright.adapters.redis.readers import Readers
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import OutcomeUnknown, StoreFailed, Unreachable
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.commit import Verdict
from stagewright.ports.message_bus import Message, Received, Topic
from stagewright.ports.workflow_store import Stored
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import claimed_one, queued, start, task, then, workflow
from stagewright.testing.servers import RedisCluster, RedisServer

PARTITIONS = 12
ONE = workflow(1)


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def options(options: BackendOptions) -> BackendOptions:
    return replace(options, partitions=PARTITIONS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """A cluster of our own: its masters are killed."""
    with RedisCluster(appendonly="always", node_timeout_ms=1_000) as started:
        yield started


@pytest.fixture
async def backend(
    cluster: RedisCluster, options: BackendOptions, clock: SystemClock
) -> AsyncIterator[Backend]:
    async with open_backend(cluster.url, options, clock) as opened:
        yield opened


@pytest.fixture
def slot(options: BackendOptions) -> int:
    """The slot of partition 1, where ONE lives."""
    keys = Keys(options.namespace, PARTITIONS)
    return key_slot(keys.of(ONE).marks.encode())


def another(cluster: RedisCluster, slot: int) -> RedisServer:
    owner = cluster.owner_of(slot)
    return next(node for node in cluster.masters() if node is not owner)


async def move(cluster: RedisCluster, slot: int) -> None:
    await asyncio.to_thread(lambda: cluster.move_slot(slot, another(cluster, slot)))


async def publish(backend: Backend, clock: SystemClock, body: bytes) -> None:
    await backend.bus.publish(Topic.INBOX, [Message(ONE, body)], clock.now_ms())


def receive(backend: Backend, clock: SystemClock, wait_s: float) -> asyncio.Task[Received]:
    everywhere = dict.fromkeys(range(PARTITIONS), "")
    reading = backend.bus.receive(everywhere, 100, wait_s, clock.now_ms(), 1_000)
    return asyncio.ensure_future(reading)


async def test_partitions_are_spread_over_all_masters(
    cluster: RedisCluster, options: BackendOptions
) -> None:
    parts = Keys(options.namespace, PARTITIONS).partitions
    owners = {cluster.owner_of(key_slot(part.marks.encode())).port for part in parts}
    assert len(owners) == 3


async def test_any_node_of_a_plain_url_leads_to_all_of_the_cluster(
    cluster: RedisCluster, options: BackendOptions, clock: SystemClock
) -> None:
    replica = cluster.nodes[-1]
    starts = [start(workflow(number, number)) for number in range(PARTITIONS)]
    async with open_backend(replica.url, options, clock) as backend:
        verdicts = await backend.store.commit(starts, clock.now_ms())
        assert set(verdicts) == {Verdict.COMMITTED}
        assert (await backend.store.counts()) == {"running": PARTITIONS}


async def test_calls_follow_a_slot_that_has_moved(
    cluster: RedisCluster, backend: Backend, clock: SystemClock, slot: int
) -> None:
    first = start(ONE)
    await backend.store.commit([first], clock.now_ms())
    before = (await receive(backend, clock, 0)).marks[1]
    await move(cluster, slot)
    assert await backend.store.commit([then(first)], clock.now_ms()) == [Verdict.COMMITTED]
    assert len(await backend.store.log(ONE)) == 2
    after = (await receive(backend, clock, 0)).marks[1]
    assert (after.incarnation, after.commits) == (before.incarnation, before.commits + 1)


async def test_a_read_that_waits_follows_a_slot_that_moves(
    cluster: RedisCluster, backend: Backend, clock: SystemClock, slot: int
) -> None:
    reading = receive(backend, clock, 30)
    await asyncio.sleep(0.05)
    await move(cluster, slot)
    await publish(backend, clock, b"news")
    assert [message.body for message in (await at_once(reading)).messages] == [b"news"]


async def test_whoever_waits_hears_from_every_shard(backend: Backend, clock: SystemClock) -> None:
    ids = [workflow(number, number) for number in range(PARTITIONS)]
    for id_ in ids:
        reading = receive(backend, clock, 30)
        await backend.bus.publish(Topic.INBOX, [Message(id_, b"news")], clock.now_ms())
        found = (await at_once(reading)).messages
        assert [message.partition for message in found] == [int(id_[1:3])]
        await backend.bus.acknowledge(found)


@pytest.fixture
async def moving(cluster: RedisCluster, slot: int) -> AsyncIterator[RedisServer]:
    """A slot that is just moving, with no key of it moved yet; it has moved in the end."""
    target = another(cluster, slot)
    cluster.begin_move(slot, target)
    yield target
    if cluster.owner_of(slot) is not target:
        cluster.end_move(slot, target)


async def test_a_key_that_is_not_there_any_more_is_asked_for_where_it_goes(
    backend: Backend, clock: SystemClock, slot: int, moving: RedisServer
) -> None:
    assert await backend.store.load([ONE]) == [None]
    await publish(backend, clock, b"news")
    assert moving.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 1


async def test_a_stream_is_read_where_it_goes(
    cluster: RedisCluster,
    options: BackendOptions,
    backend: Backend,
    clock: SystemClock,
    moving: RedisServer,
) -> None:
    await publish(backend, clock, b"news")
    inbox = Keys(options.namespace, PARTITIONS).of(ONE).inbox
    server = await server_of(cluster.url)
    readers = Readers(server)
    async with readers.reader({inbox: "0-0"}, 10) as reader:
        ((_, fields),) = (await reader.read({inbox: "0-0"}, 10))[inbox]
    assert fields == [ONE.encode(), b"news"]
    assert moving.pid is not None
    await readers.close()
    await server.close()


async def test_a_call_whose_keys_are_apart_waits_until_they_are_together(
    cluster: RedisCluster, backend: Backend, clock: SystemClock, slot: int, moving: RedisServer
) -> None:
    first = start(ONE)
    committing = asyncio.ensure_future(backend.store.commit([first], clock.now_ms()))
    await asyncio.sleep(0.3)
    assert not committing.done()
    await asyncio.to_thread(cluster.end_move, slot, moving)
    assert await at_once(committing) == [Verdict.COMMITTED]
    assert len(await backend.store.log(ONE)) == 1


async def test_the_wait_for_keys_that_stay_apart_is_bounded(
    backend: Backend, clock: SystemClock, moving: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PATIENCE_S", 0.2)
    with pytest.raises(StoreFailed, match="Nothing was changed"):
        await backend.store.commit([start(ONE)], clock.now_ms())
    assert moving.pid is not None


async def test_a_round_trip_is_one_exchange_for_each_node(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    call_all = Client.call_all

    async def recorded(self: Client, commands: list[Command]) -> list[Any]:
        made.append(len(commands))
        return await call_all(self, commands)

    monkeypatch.setattr(Client, "call_all", recorded)
    await backend.store.load([workflow(number, number) for number in range(PARTITIONS)])
    assert (len(made), sum(made)) == (3, PARTITIONS)


async def test_a_killed_master_is_followed_by_its_replica(
    cluster: RedisCluster, options: BackendOptions, clock: SystemClock, slot: int
) -> None:
    first, owner = start(ONE), cluster.owner_of(slot)
    async with open_backend(cluster.url, options, clock) as backend:
        await backend.store.commit([first], clock.now_ms())
        await asyncio.to_thread(cluster.wait_followed, owner)
        reading = receive(backend, clock, 30)
        await asyncio.to_thread(owner.kill)
        assert await backend.store.commit([then(first)], clock.now_ms()) == [Verdict.COMMITTED]
        await publish(backend, clock, b"news")
        assert [message.body for message in (await at_once(reading)).messages] == [b"news"]
        assert isinstance((await backend.store.load([ONE]))[0], Stored)
    await asyncio.to_thread(owner.start)
    await asyncio.to_thread(cluster.wait_whole)


async def test_functions_that_a_new_master_does_not_know_are_loaded_there(
    cluster: RedisCluster, backend: Backend, clock: SystemClock, slot: int
) -> None:
    cluster.owner_of(slot).ask("FUNCTION", "FLUSH")
    await queued(backend, clock, task(ONE))  # type: ignore[arg-type]  # any clock tells the time
    assert (await claimed_one(backend, clock)).task_id == task(ONE).task_id  # type: ignore[arg-type]


async def test_a_call_whose_answer_was_lost_is_not_made_again(
    backend: Backend, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_all = Client.call_all

    async def lost(self: Client, commands: list[Command]) -> list[Any]:
        replies = await call_all(self, commands)
        if commands[0][0] == "XADD":
            raise OutcomeUnknown("Redis")
        return replies

    monkeypatch.setattr(adapter, "PATIENCE_S", 0.2)
    with monkeypatch.context() as losing:
        losing.setattr(Client, "call_all", lost)
        with pytest.raises(OutcomeUnknown):
            await publish(backend, clock, b"news")
    found = (await receive(backend, clock, 0)).messages
    assert [message.body for message in found] == [b"news"]


async def test_what_was_done_is_not_done_again_when_the_rest_cannot_be(
    cluster: RedisCluster,
    backend: Backend,
    options: BackendOptions,
    clock: SystemClock,
    slot: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: Node) -> None:
        raise Unreachable("Redis")

    server = await server_of(cluster.url)
    functions, part = Functions(server), Keys(options.namespace, PARTITIONS).of(ONE)
    cluster.owner_of(slot).ask("FUNCTION", "FLUSH")
    monkeypatch.setattr(Node, "load", away)
    monkeypatch.setattr(adapter, "PATIENCE_S", 0.2)
    added = ("XADD", part.inbox, "*", ONE, b"news")
    with pytest.raises(Unreachable):
        await functions.run([added, functions.command("mark", [part.marks], ["new"])])
    monkeypatch.undo()
    found = (await receive(backend, clock, 0)).messages
    assert [message.body for message in found] == [b"news"]
    await server.close()


async def test_a_listener_goes_to_another_node_when_its_own_dies(
    cluster: RedisCluster, backend: Backend, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = Cluster.listening_posts
    heard_at: list[int] = []

    def noted(self: Cluster) -> Any:
        found = posts(self)
        heard_at.append(found[0].place[1])
        return found

    monkeypatch.setattr(Cluster, "listening_posts", noted)
    async with backend.bus.subscribe(Topic.WAKE) as listener:
        node = next(node for node in cluster.nodes if node.port == heard_at[0])
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(cluster.wait_replaced, node)
        hint = await _heard(backend, clock, listener)
    assert hint == b"a@1.0"
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(cluster.wait_whole)


async def _heard(backend: Backend, clock: SystemClock, listener: AsyncIterator[Message]) -> bytes:
    async with asyncio.timeout(30):
        while True:  # hints are lost until the line is up again
            await backend.bus.publish(Topic.WAKE, [Message(ONE, b"a@1.0")], clock.now_ms())
            try:
                async with asyncio.timeout(0.2):
                    return (await anext(listener)).body
            except TimeoutError:
                continue


async def test_health_speaks_of_the_weakest_master(
    cluster: RedisCluster, options: BackendOptions, clock: SystemClock
) -> None:
    async with open_backend(f"{cluster.url}?replicas=1", options, clock) as backend:
        health = await backend.store.health()
        assert (health.ok, health.durability) == (True, "replicated")
        assert health.detail.startswith("3 masters, ")
        weak = cluster.masters()[1]
        weak.ask("CONFIG", "SET", "appendonly", "no")
        health = await backend.store.health()
        weak.ask("CONFIG", "SET", "appendonly", "yes")
        assert (health.durability, f":{weak.port}: " in health.detail) == ("none", True)


async def test_a_replica_that_takes_over_by_itself_is_a_window(backend: Backend) -> None:
    health = await backend.store.health()
    assert (health.ok, health.durability) == (True, "window")
    assert "a replica that takes over may lack the last moments" in health.detail


async def test_a_master_without_memory_is_named_among_the_others(
    backend: Backend, cluster: RedisCluster
) -> None:
    full = cluster.masters()[1]
    full.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        health = await backend.store.health()
    finally:
        full.ask("CONFIG", "SET", "maxmemory", "0")
    assert health.ok
    assert f":{full.port}: Redis: it has no room left" in health.refusing
    (concern,) = [one for one in health.concerns if one.check == "space"]
    assert concern.found == health.refusing


async def test_a_cluster_of_which_nobody_answers_cannot_be_opened(
    options: BackendOptions, clock: SystemClock
) -> None:
    with pytest.raises(Unreachable, match="Redis does not answer"):
        async with open_backend("redis+cluster://127.0.0.1:1,127.0.0.1:2/", options, clock):
            pass

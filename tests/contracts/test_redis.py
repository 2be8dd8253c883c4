"""The contract suites over the Redis backend: a real server, a fresh namespace for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from stagewright.adapters import redis
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.audit import AuditContract
from stagewright.testing.contracts.blob_store import BlobStoreContract
from stagewright.testing.contracts.dead_letters import DeadLettersContract
from stagewright.testing.contracts.harness import OPTIONS, Harness
from stagewright.testing.contracts.kv_store import KVStoreContract
from stagewright.testing.contracts.live_events import LiveEventsContract
from stagewright.testing.contracts.message_bus import MessageBusContract
from stagewright.testing.contracts.model import ModelContract
from stagewright.testing.contracts.registry import RegistryContract
from stagewright.testing.contracts.task_queue import TaskQueueContract
from stagewright.testing.contracts.workflow_store import WorkflowStoreContract
from stagewright.testing.servers import RedisServer

namespaces = map("t{}".format, itertools.count(1))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="always") as started:
        yield started


@pytest.fixture
async def harness(clock: VirtualClock, server: RedisServer) -> AsyncIterator[Harness]:
    options = replace(OPTIONS, namespace=next(namespaces))
    harness = Harness(redis.open_backend, server.url, clock, options, durability="process")
    async with harness.opened() as opened:
        yield opened


class TestWorkflowStore(WorkflowStoreContract):
    pass


class TestTaskQueue(TaskQueueContract):
    pass


class TestMessageBus(MessageBusContract):
    pass


class TestLiveEvents(LiveEventsContract):
    pass


class TestKVStore(KVStoreContract):
    pass


class TestDeadLetters(DeadLettersContract):
    pass


class TestRegistry(RegistryContract):
    pass


class TestBlobStore(BlobStoreContract):
    pass


class TestAudit(AuditContract):
    pass


class TestModel(ModelContract):
    pass

"""The contract suites over the memory backend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.audit import AuditContract
from stagewright.testing.contracts.blob_store import BlobStoreContract
from stagewright.testing.contracts.dead_letters import DeadLettersContract
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.kv_store import KVStoreContract
from stagewright.testing.contracts.live_events import LiveEventsContract
from stagewright.testing.contracts.message_bus import MessageBusContract
from stagewright.testing.contracts.model import ModelContract
from stagewright.testing.contracts.registry import RegistryContract
from stagewright.testing.contracts.task_queue import TaskQueueContract
from stagewright.testing.contracts.workflow_store import WorkflowStoreContract


@pytest.fixture
async def harness(clock: VirtualClock) -> AsyncIterator[Harness]:
    async with Harness(open_backend, "memory://", clock, durability="none").opened() as opened:
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

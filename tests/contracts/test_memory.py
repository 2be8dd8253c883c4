"""The contract suites over the memory backend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.message_bus import MessageBusContract
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

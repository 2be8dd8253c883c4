"""Agents whose work is not wanted any more are told, and only they."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.application.withdrawal import CANCEL, tell_agents, withdraws
from stagewright.domain.errors import Unreachable
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task import TaskLease
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import start, workflow

ONE, TWO = workflow(1), workflow(2)
TASK = f"{ONE}/build/1/1"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def backend(clock: VirtualClock) -> AsyncIterator[Backend]:
    async with open_backend("memory://", BackendOptions(), clock) as opened:
        yield opened


def test_a_task_that_just_reported_is_not_withdrawn() -> None:
    assert not withdraws(start(ONE, closed_tasks=(TASK,), fences=(TaskLease(TASK, 1),)))


def test_a_task_that_is_closed_without_a_report_is_withdrawn() -> None:
    assert withdraws(start(ONE, closed_tasks=(TASK,)))


async def test_only_workflows_that_withdrew_a_task_are_hinted_at(
    backend: Backend, clock: VirtualClock
) -> None:
    commits = [start(ONE, closed_tasks=(TASK,)), start(TWO)]
    async with backend.bus.subscribe(Topic.WAKE) as listener:
        await tell_agents(backend.bus, commits, clock.now_ms())
        await backend.bus.publish(Topic.WAKE, [Message(TWO, b"end")], clock.now_ms())
        assert await anext(listener) == Message(ONE, CANCEL)
        assert await anext(listener) == Message(TWO, b"end")


async def test_a_hint_that_cannot_be_given_changes_nothing(
    backend: Backend, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise Unreachable("bus")

    monkeypatch.setattr(type(backend.bus), "publish", fail)
    await tell_agents(backend.bus, [start(ONE, closed_tasks=(TASK,))], clock.now_ms())

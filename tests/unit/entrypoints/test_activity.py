from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from stagewright.application.agents import agent
from stagewright.application.loading import Loaded
from stagewright.domain.builder import Workflow
from stagewright.domain.errors import CursorExpired, Unreachable
from stagewright.entrypoints import activity
from stagewright.entrypoints.activity import happenings
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.hosting import orchestrating, registrations, runner_of, running
from stagewright.entrypoints.settings import Settings
from stagewright.ports.control import StartRequest
from stagewright.ports.message_bus import FeedEntry


@agent("echo")
async def echo(value: int) -> int:
    return value


async def test_what_happens_is_told_as_it_happens() -> None:
    definition = Workflow("echoing", echo).definition
    loaded = Loaded((definition,), (echo,), {}, frozenset())
    async with opened(Settings(url="memory://")) as container:
        events = happenings(container.backend().bus)
        first = asyncio.create_task(anext(events))
        commands = container.control().commands
        for request in registrations(loaded):
            await commands.register(request)
        async with orchestrating(container), running(runner_of(container, [echo])):
            started = await commands.start(StartRequest(definition="echoing", input=1))
            told = [await first]
            while told[-1].event["type"] != "WORKFLOW_COMPLETED":
                told.append(await anext(events))
    assert {one.workflow_id for one in told} == {started.workflow_id}
    kinds = [one.event["type"] for one in told]
    assert kinds == ["WORKFLOW_CREATED", "TASK_ASSIGNED", "STAGE_COMPLETE", "WORKFLOW_COMPLETED"]
    assert all(one.at_ms > 0 for one in told)


class Faltering:
    """A bus that fails in two ways before it tells."""

    def __init__(self) -> None:
        self.cursors: list[str | None] = []
        self.answers = iter([Unreachable("Redis"), CursorExpired("old"), None])

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float = 0.0
    ) -> tuple[Sequence[FeedEntry], str]:
        del limit, wait_s
        self.cursors.append(cursor)
        if (failure := next(self.answers)) is not None:
            raise failure
        body = b'{"at_ms": 1, "events": [{"type": "WORKFLOW_CREATED"}]}'
        return [FeedEntry("p00-1", "note", b"{}", "c"), FeedEntry("p00-1", "step", body, "c")], "c"


async def test_a_bus_that_falters_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "_PAUSE_S", 0.0)
    bus = Faltering()
    told = await anext(happenings(bus))  # type: ignore[arg-type]
    assert told.event == {"type": "WORKFLOW_CREATED"}
    assert bus.cursors == ["now", "now", "now"]

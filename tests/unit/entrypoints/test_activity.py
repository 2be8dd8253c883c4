from __future__ import annotations

import asyncio

from stagewright.application.agents import agent
from stagewright.application.loading import Loaded
from stagewright.domain.builder import Workflow
from stagewright.entrypoints.activity import happenings
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.hosting import orchestrating, registrations, runner_of, running
from stagewright.entrypoints.settings import Settings
from stagewright.ports.control import StartRequest


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

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest

from stagewright.application.agents import agent
from stagewright.domain.errors import ConfigurationError, Conflict, DefinitionError, Unreachable
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connected, connection_of
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.hosting import (
    alone,
    door_if_needed,
    open_the_door,
    orchestrating,
    refuse_memory,
    runner_of,
    running,
    serving_targets,
    stopped_by_signal,
)
from stagewright.entrypoints.settings import Settings

MEMORY = Settings(url="memory://")
PROJECT = """
from stagewright.application.agents import agent
from stagewright.domain.builder import Workflow

@agent("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"

hello = Workflow("hello", greet)
"""


@agent("echo")
async def echo(value: int) -> int:
    return value


async def test_a_door_of_a_file_is_published_beside_it(tmp_path: Path) -> None:
    settings = Settings(url=f"sqlite:///{tmp_path}/state.db")
    async with opened(settings) as container, door_if_needed(container) as door:
        assert door is not None
        async with connected(settings) as sessions, sessions() as connection:
            assert (await connection.queries.system()).backend == settings.url


async def test_the_token_of_the_settings_opens_the_door() -> None:
    async with opened(Settings(url="memory://", token="given")) as container:
        async with open_the_door(container, 0) as door:
            assert door.token == "given"
        async with opened(MEMORY) as other, open_the_door(other, 0) as door:
            assert len(door.token) >= 32


async def test_an_orchestrator_and_a_runner_serve_while_the_block_lasts() -> None:
    async with opened(MEMORY) as container:
        queries = container.control().queries
        async with orchestrating(container), running(runner_of(container, [echo])):
            view = await queries.system()
            assert view.owners
            assert [list(one.agents) for one in view.agents] == [["echo"]]
        view = await queries.system()
        assert (view.owners, view.agents) == ({}, [])


async def test_a_runner_has_the_limit_of_the_settings_and_tells_who_it_is() -> None:
    settings = Settings(url="memory://", concurrency=3)
    async with opened(settings) as container, running(runner_of(container, [echo])):
        (view,) = (await container.control().queries.system()).agents
    assert (view.agents["echo"]["limit"], view.pid) == (3, os.getpid())


async def test_an_error_of_the_block_is_not_wrapped_in_a_group() -> None:
    async with opened(MEMORY) as container:
        with pytest.raises(Unreachable):
            async with orchestrating(container):
                raise Unreachable("redis")


async def test_a_runner_that_cannot_serve_ends_the_block() -> None:
    @agent("echo")
    async def changed(value: str) -> str:
        return value

    async with opened(MEMORY) as container, running(runner_of(container, [echo])):
        with pytest.raises(Conflict, match="other types"):
            async with running(runner_of(container, [changed])):
                pytest.fail("it was served")


def test_a_group_of_several_errors_stays_one() -> None:
    with pytest.raises(ExceptionGroup), alone():
        raise ExceptionGroup("two", [ValueError(), KeyError()])


async def test_targets_are_registered_and_their_agents_run(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    async with opened(MEMORY) as container, orchestrating(container):
        control = container.control()
        async with serving_targets(container, [str(tmp_path / "project.py")]) as agents:
            assert agents == ["greet 1.0.0"]
            client = Stagewright.over(lambda: nullcontext(connection_of(control)))
            started = await client.start("hello", "Ada")
            assert (await client.wait(started.workflow_id)).output == "Hello, Ada!"


async def test_serving_nothing_registers_nothing() -> None:
    async with opened(MEMORY) as container, serving_targets(container, []) as agents:
        assert agents == []
        assert list(await container.control().queries.definitions()) == []


async def test_a_target_with_a_mistake_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "name: bad\nstages:\n  - name: a\n    agent: x\n    on: {ok: b}\n"
    )
    async with opened(MEMORY) as container:
        with pytest.raises(DefinitionError, match="stage a"):
            async with serving_targets(container, [str(tmp_path / "bad.yaml")]):
                pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_waiting_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    waiting = asyncio.create_task(stopped_by_signal())
    await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    assert await waiting == number.name
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


def test_a_server_of_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ends with its process"):
        refuse_memory("memory://", "stagewright serve")
    refuse_memory("redis://host", "stagewright serve")

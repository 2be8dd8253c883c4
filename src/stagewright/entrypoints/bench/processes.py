"""Orchestrator and agents for the benchmark: in this process, or each in one of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio

from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.domain.errors import Unreachable
from stagewright.entrypoints.bench.job import AGENTS
from stagewright.entrypoints.container import Container
from stagewright.entrypoints.settings import ENV_PREFIX, Settings

READY = b"READY"
START_LIMIT_S = 20.0
SLOTS = 400
"""Tasks that one agent process runs at once for each agent: no-ops need no protection."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A process beside the submitter."""

    role: str
    pid: int


@asynccontextmanager
async def companions(
    settings: Settings, agent_processes: int
) -> AsyncIterator[Sequence[Companion]]:
    """Start an orchestrator and agents in processes of their own; end them afterwards."""
    roles = ["orchestrator", *(f"agents-{n + 1}" for n in range(agent_processes))]
    async with AsyncExitStack() as stack:
        yield [
            Companion(role, await stack.enter_async_context(_companion(role, settings)))
            for role in roles
        ]


@asynccontextmanager
async def _companion(role: str, settings: Settings) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stagewright.entrypoints.bench.companion",
        role.partition("-")[0],
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            f"{ENV_PREFIX}URL": settings.url,
            f"{ENV_PREFIX}NAMESPACE": settings.namespace,
        },
    )
    try:
        await _ready(process, role)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, role: str) -> None:
    if process.stdout is None:
        raise Unreachable(role, "it has no output")
    with anyio.move_on_after(START_LIMIT_S):
        if (await process.stdout.readline()).strip() == READY:
            return
    raise Unreachable(f"the benchmark's {role}", "it did not get ready")


@asynccontextmanager
async def embedded(container: Container) -> AsyncIterator[None]:
    """Run orchestrator and agents on this process's own loop."""
    orchestrator = container.orchestrator()
    async with anyio.create_task_group() as group:
        group.start_soon(orchestrator.run)
        await orchestrator.ready.wait()
        async with bench_runner(container):
            yield
        orchestrator.stop()


def bench_runner(container: Container) -> AgentRunner:
    """Return a runner for the six agents."""
    return AgentRunner(
        container.backend(),
        dict.fromkeys(AGENTS, SLOTS),
        container.clock(),
        container.ids(),
        container.random(),
        options=RunnerOptions(grace_s=1.0),
        catalog=container.catalog(),
    )

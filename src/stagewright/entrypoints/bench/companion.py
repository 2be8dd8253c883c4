"""`python -m stagewright.entrypoints.bench.companion ROLE`: one process of a benchmark."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from stagewright.entrypoints.bench.processes import READY, bench_runner
from stagewright.entrypoints.collector import relax_collector
from stagewright.entrypoints.container import Container, opened
from stagewright.entrypoints.logging import configure_logging
from stagewright.entrypoints.settings import load_settings


async def _orchestrate(container: Container, stopped: asyncio.Event) -> None:
    orchestrator = container.orchestrator()
    running = asyncio.create_task(orchestrator.run())
    await orchestrator.ready.wait()
    _say_ready()
    await stopped.wait()
    orchestrator.stop()
    await running


async def _serve_agents(container: Container, stopped: asyncio.Event) -> None:
    async with bench_runner(container):
        _say_ready()
        await stopped.wait()


def _say_ready() -> None:
    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()


async def _run(role: str) -> None:
    settings = load_settings().settings
    configure_logging("warning", "json")
    stopped = asyncio.Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end, stopped.set)
    async with opened(settings) as container:
        relax_collector()
        duty = _orchestrate if role == "orchestrator" else _serve_agents
        await duty(container, stopped)


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1]))

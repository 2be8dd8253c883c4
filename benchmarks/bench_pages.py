"""How long the server takes for a page of the dashboard: python -m benchmarks.bench_pages [STAGES].

A workflow of so many stages runs on SQLite in this process; then its page and the list are asked
again and again over ASGI, without a network. Prints milliseconds by the clock (p50, p95, most) and
of processor time (p95), which other programs on the machine change less; both hold the client's
part.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import httpx2

from stagewright import AgentContext, Workflow, agent, stage
from stagewright.entrypoints.api.app import create_app
from stagewright.entrypoints.api.door import Door, door_over
from stagewright.entrypoints.api.rules import Rules
from stagewright.entrypoints.hosting import (
    orchestrating,
    owning,
    run_process,
    runner_of,
    running,
)
from stagewright.entrypoints.settings import Settings
from stagewright.entrypoints.web.app import mount
from stagewright.ports.control import RegisterRequest, StartRequest

TOKEN = "benchmark"  # noqa: S105 - opens nothing but this process
TIMES = 300


@agent("touch")
async def touch(task: dict[str, int], ctx: AgentContext) -> dict[str, int]:
    """Give back what came, and note it."""
    await ctx.log("touched", stage=ctx.stage)
    return task


async def main(stages: int) -> None:
    """Run a workflow and ask for its pages."""
    names = [stage(f"s{number}", agent=touch) for number in range(stages)]
    flow = Workflow("long", *names)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(url=f"sqlite:///{Path(folder) / 'state.db'}")
        async with owning(settings) as container, orchestrating(container):
            control = container.control()
            contracts = [touch.contract.model_dump(mode="json")]
            request = RegisterRequest(definition=flow.data(), contracts=contracts)
            await control.commands.register(request)
            async with running(runner_of(container, [touch])):
                started = await control.commands.start(StartRequest(definition="long", input={}))
                view = await control.queries.ended(started.workflow_id, 120.0)
            door = door_over(container, TOKEN, Rules())
            print(f"{stages} stages, {view.status}")
            await _measure(door, started.workflow_id)


async def _measure(door: Door, workflow_id: str) -> None:
    transport = httpx2.ASGITransport(app=create_app(door, mount))
    headers = {"authorization": f"Bearer {TOKEN}"}
    address = "http://127.0.0.1"
    async with httpx2.AsyncClient(transport=transport, base_url=address, headers=headers) as http:
        page = f"/workflows/{workflow_id}"
        for path in (page, f"{page}?stage=s1", f"{page}?tab=events", "/workflows", "/"):
            await _report(http, path)


async def _report(http: httpx2.AsyncClient, path: str) -> None:
    took, spent, answer = [], [], await http.get(path)
    for _ in range(TIMES):
        begun, worked = time.perf_counter(), time.process_time()
        answer = await http.get(path)
        took.append((time.perf_counter() - begun) * 1_000)
        spent.append((time.process_time() - worked) * 1_000)
    took.sort()
    spent.sort()
    shown = path.partition("?")[2] or path[:12]
    p50, p95 = took[TIMES // 2], took[TIMES * 95 // 100]
    kilobytes = len(answer.content) / 1_024
    cpu = spent[TIMES * 95 // 100]
    print(
        f"{shown:<16} {p50:6.1f} {p95:6.1f} {took[-1]:6.1f} ms  {cpu:6.1f} cpu  {kilobytes:6.1f} kB"
    )


if __name__ == "__main__":
    stages = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    run_process(lambda: main(stages))

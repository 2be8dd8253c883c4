"""One workflow, three processes, and a kill at a chosen port call of any of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.replay import replay_report
from stagewright.domain.definition import Definition
from stagewright.domain.ids import TaskId
from stagewright.domain.snapshot import decode_state
from stagewright.domain.workflow import ApprovalWait, WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.control import CommandRequest, StartRequest
from stagewright.ports.message_bus import Received
from stagewright.ports.workflow_store import Stored
from stagewright.testing.checker import Execution, gather, judge
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.faults import Crash, Faults, Moment
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from stagewright.testing.scripted import ScriptedRunner

PIPELINE = Definition.model_validate(
    {
        "name": "sweep",
        "stages": [
            {"name": "prepare", "agent": "worker"},
            {"name": "build", "agent": "worker", "retry": {"attempts": 3, "delay_s": 1}},
            {
                "name": "checks",
                "kind": "parallel",
                "branches": {
                    "lint": [{"name": "lint", "agent": "worker"}],
                    "test": [{"name": "test", "agent": "worker"}],
                },
            },
            {"name": "sign", "kind": "approval", "approvers": ["ann"]},
            {"name": "ship", "agent": "worker"},
        ],
    }
)
"""Five stages: one is retried, one is parallel, one asks a person."""
OUTCOME = {"worked": "ship", "on": {"decision": "approved", "by": ["ann"]}}
GIVE_UP_S = 600.0
APPROVAL = "f" * 32

OpenHarness = Callable[[VirtualClock], Harness]


@dataclass
class Run:
    """What happened in one run."""

    workflow_id: str = ""
    violations: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)


class Scene:
    """The processes of one run. Each is started anew, with empty memory, when it was killed."""

    def __init__(self, backend: Backend, clock: VirtualClock, faults: Faults) -> None:
        self.backend, self.clock, self.faults = backend, clock, faults
        self.ids, self.randomness = SeededIdentifiers(1, clock), SeededRandom(1)
        self.journal: list[Execution] = []
        self.workflow_id = ""
        self.over = False
        """Whoever is killed on the way out is not started again."""

    async def supervise(self, name: str, life: Callable[[Backend], Awaitable[None]]) -> None:
        """Let a process live, and live again after a kill, until it comes to an end of its own."""
        while not self.over:
            try:
                await life(self.faults.ports(self.backend, name))
            except Crash:
                continue
            except BaseExceptionGroup as group:
                if group.split(Crash)[1] is None:
                    continue
                raise
            return

    async def orchestrate(self, backend: Backend) -> None:
        catalog = Catalog(backend.registry, self.clock)
        options = OrchestratorOptions(wait_s=2.0, ownership_ttl_s=6.0, reconcile_s=15.0)
        parts = (catalog, self.clock, self.ids, self.randomness)
        await Orchestrator(backend, *parts, options=options).run()

    async def work(self, backend: Backend) -> None:
        runner = ScriptedRunner(backend, self.clock, self.ids, ["worker@1.0"], self.script)
        await runner.run()

    def script(self, task: TaskId, given: Any) -> dict[str, Any]:
        """Each stage says that it worked; the first attempt at `build` fails."""
        if (task.stage, task.attempt) == ("build", 1):
            errors = ({"type": "flaky", "message": "the compiler was busy"},)
            return {"status": "failure", "errors": errors}
        value: Any = {"worked": task.stage}
        if task.stage == "ship":
            value["on"] = {"decision": given["decision"], "by": given["decided_by"]}
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        self.journal.append(Execution(task.workflow_id, task.stage, task.visit, body))
        return {"value": value}

    async def decide(self, backend: Backend) -> None:
        """Start once and approve once, by asking again with the same key and command id."""
        catalog = Catalog(backend.registry, self.clock)
        commands = Commands(backend, catalog, self.clock, self.ids, self.randomness)
        request = StartRequest(definition="sweep", input={"n": 1}, key="the-one")
        self.workflow_id = (await commands.start(request)).workflow_id
        while not (state := await self.seen()).status.terminal:
            if isinstance(state.awaiting.get("sign"), ApprovalWait):
                approve = CommandRequest(kind="approve", by="ann", command_id=APPROVAL)
                await commands.command(self.workflow_id, approve)
                return
            await self.clock.sleep(0.5)

    async def seen(self) -> WorkflowState:
        """What is stored, looked at from outside all processes."""
        (stored,) = await self.backend.store.load([self.workflow_id])
        assert isinstance(stored, Stored)
        return decode_state(stored.snapshot)

    async def end(self) -> bool:
        """Wait for the workflow's end; False when it does not come."""
        end_ms = self.clock.now_ms() + round(GIVE_UP_S * 1_000)
        while self.clock.now_ms() < end_ms:
            if self.workflow_id and (await self.seen()).status.terminal:
                return True
            await self.clock.sleep(1.0)
        return False


async def crashed_at(open_harness: OpenHarness, *numbers: int, moment: Moment = "before") -> Run:
    """Run the pipeline with a kill at each of these calls."""
    clock = VirtualClock()
    async with open_harness(clock).opened() as harness:
        await Catalog(harness.backend.registry, clock).register(PIPELINE, [])
        scene = Scene(harness.backend, clock, Faults(numbers, moment))
        async with clock.auto(), alive(scene):
            ended = await scene.end()
        run = Run(scene.workflow_id, calls=scene.faults.calls, kills=scene.faults.kills)
        run.violations = await examine(scene) if ended else ["the workflow never ended"]
        return run


@asynccontextmanager
async def alive(scene: Scene) -> AsyncIterator[None]:
    """Keep the three processes running."""
    lives = {"orchestrator": scene.orchestrate, "runner": scene.work, "client": scene.decide}
    tasks = [asyncio.create_task(scene.supervise(name, life)) for name, life in lives.items()]
    try:
        yield
    finally:
        scene.over = True
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def examine(scene: Scene) -> list[str]:
    """Say what is wrong with how the workflow ended, by what is stored alone."""
    id_, backend = scene.workflow_id, scene.backend
    (stored,) = await backend.store.load([id_])
    assert isinstance(stored, Stored)
    state = decode_state(stored.snapshot)
    found = judge([id_], await gather(backend.store, [id_]), scene.journal)
    report = await replay_report(backend, id_)
    if not report.equal or report.missing:
        found.append(f"replay: {report.difference or report.missing}")
    output = None if state.ending is None else stored.outputs.get(state.ending.output or "")
    if output is None or orjson.loads(output) != OUTCOME:
        found.append(f"{state.status} with {output!r}")
    found += [f"dead letter: {letter.reason}" for letter in await backend.dead_letters.list()]
    return found + await left_behind(scene)


async def left_behind(scene: Scene) -> list[str]:
    """Say what is still in flight although the workflow has ended."""
    backend, later_ms = scene.backend, scene.clock.now_ms() + 10**9
    everything = dict.fromkeys(range(backend.partitions), "")
    received: Received = await backend.bus.receive(everything, 100, 0.0, later_ms, 10**6)
    (records,) = await backend.tasks.inspect([scene.workflow_id])
    counts = Counter(
        timers=len(received.timers), messages=len(received.messages), tasks=len(records)
    )
    return [f"{number} {what} left behind" for what, number in counts.items() if number]

"""One workflow, three processes, and harm at a chosen port call of any of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson

from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.consumer import CRASHED
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.replay import replay_report
from stagewright.domain.definition import Definition
from stagewright.domain.errors import Unreachable
from stagewright.domain.ids import TaskId
from stagewright.domain.snapshot import decode_state
from stagewright.domain.stage_result import blob_ref
from stagewright.domain.workflow import ApprovalWait, HeldWait, Status, WorkflowState
from stagewright.ports.backend import Backend
from stagewright.ports.control import CommandRequest, StartRequest
from stagewright.ports.message_bus import Received
from stagewright.ports.workflow_store import Stored
from stagewright.testing.checker import Execution, gather, judge
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.faults import Crash, Faults, Harm, Moment
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from stagewright.testing.scripted import ScriptedRunner
from stagewright.testing.witness import Witness

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
APPROVAL = "f" * 32
STALL_S = 7.5
"""Longer than a lease and an ownership last, so that others take over."""

OpenHarness = Callable[[], Harness]
T = TypeVar("T")


@dataclass
class Run:
    """What happened in one run."""

    workflow_id: str = ""
    violations: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    refused: int = 0
    """Stale writes that were tried, and came to nothing."""


class Scene:
    """The processes of one run. Each is started anew, with empty memory, when it was killed."""

    give_up_s = 600.0
    definition = PIPELINE
    outcome: Any = OUTCOME
    """What the workflow must end with."""
    processes: tuple[str, ...] = ("orchestrator", "runner", "client")

    def __init__(self, backend: Backend, clock: VirtualClock, faults: Faults) -> None:
        self.witness = Witness()
        self.backend, self.clock, self.faults = self.witness.watched(backend), clock, faults
        faults.stalled = self.stalled
        self.ids, self.randomness = SeededIdentifiers(1, clock), SeededRandom(1)
        self.journal: list[Execution] = []
        self.workflow_id = ""
        self.approving = self.approved = False
        self.watches: list[asyncio.Task[None]] = []
        self.over = False
        """Whoever is killed on the way out is not started again."""

    def begin(self, name: str) -> None:
        """Start a process, which is watched over until the run ends."""
        self.watches.append(asyncio.create_task(self.supervise(name)))

    async def supervise(self, name: str) -> None:
        """Let a process live, and live again after a kill, until it comes to an end of its own."""
        lives = {"orchestrator": self.orchestrate, "runner": self.work, "client": self.decide}
        while not self.over:
            try:
                await lives[name](self.faults.ports(self.backend, name))
            except (Crash, Unreachable):
                continue
            except BaseExceptionGroup as group:
                if group.split(Crash)[1] is not None:
                    raise
            else:
                return

    async def stalled(self, name: str) -> None:
        """Start another process in place of one that hangs until its leases have run out."""
        self.begin(name)
        await self.clock.sleep(STALL_S)

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
        request = StartRequest(definition=self.definition.name, input={"n": 1}, key="the-one")
        started = await self.insist(lambda: commands.start(request))
        self.workflow_id = started.workflow_id
        await self.sign(commands)

    async def sign(self, commands: Commands) -> None:
        """Approve when that is asked for."""
        await self.asked()
        approve = CommandRequest(kind="approve", by="ann", command_id=APPROVAL)
        self.approving = True
        await self.insist(lambda: commands.command(self.workflow_id, approve))
        self.approved = True

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask again in the same words until there is an answer."""
        while True:
            try:
                return await call()
            except Unreachable:
                await self.clock.sleep(0.5)

    async def asked(self) -> None:
        """Wait until an approval is asked for; not any more once it may have been given."""
        while not self.approving:
            if isinstance((await self.seen()).awaiting.get("sign"), ApprovalWait):
                return
            await self.clock.sleep(0.5)

    async def seen(self) -> WorkflowState:
        """What is stored, looked at from outside all processes."""
        (stored,) = await self.backend.store.load([self.workflow_id])
        assert isinstance(stored, Stored)
        return decode_state(stored.snapshot)

    async def examined(self) -> list[str]:
        """Say what else is wrong with how the workflow ended."""
        return []

    async def help(self, state: WorkflowState) -> None:
        """Retry what is held, as a person does: three kills over one message quarantine it."""
        catalog = Catalog(self.backend.registry, self.clock)
        commands = Commands(self.backend, catalog, self.clock, self.ids, self.randomness)
        for stage, wait in state.awaiting.items():
            if isinstance(wait, HeldWait):
                retry = CommandRequest(kind="retry", by="ann", stage=stage)
                await commands.command(state.workflow_id, retry)

    async def end(self) -> bool:
        """Wait for the workflow's end; False when it does not come."""
        end_ms = self.clock.now_ms() + round(self.give_up_s * 1_000)
        while self.clock.now_ms() < end_ms:
            if self.workflow_id:
                state = await self.seen()
                if self.approved and state.status.terminal:
                    return True
                await self.help(state)
            await self.clock.sleep(1.0)
        return False


async def crashed_at(
    open_harness: OpenHarness,
    *numbers: int,
    moment: Moment = "before",
    harm: Harm = "kill",
    kind: type[Scene] = Scene,
) -> Run:
    """Run the pipeline with harm done at each of these calls."""
    async with open_harness().opened() as harness:
        clock = harness.clock
        await Catalog(harness.backend.registry, clock).register(kind.definition, [])
        scene = kind(harness.backend, clock, Faults(numbers, moment, harm))
        async with clock.auto(), alive(scene):
            ended = await scene.end()
        run = Run(scene.workflow_id, calls=scene.faults.calls, hits=scene.faults.hits)
        run.refused = scene.witness.refused
        run.violations = await examine(scene) if ended else ["the workflow never ended"]
        return run


@asynccontextmanager
async def alive(scene: Scene) -> AsyncIterator[None]:
    """Keep the processes running."""
    for name in scene.processes:
        scene.begin(name)
    try:
        yield
    finally:
        scene.over = True
        for task in scene.watches:
            task.cancel()
        for result in await asyncio.gather(*scene.watches, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def examine(scene: Scene) -> list[str]:
    """Say what is wrong with how the workflow ended, by what is stored alone."""
    id_, backend = scene.workflow_id, scene.backend
    (evidence,) = await gather(backend.store, [id_])
    outputs = {key: await whole(scene, body) for key, body in evidence.outputs.items()}
    state = decode_state(evidence.snapshot)
    found = judge([id_], [replace(evidence, outputs=outputs)], scene.journal)
    report = await replay_report(backend, id_)
    if not report.equal or report.missing:
        found.append(f"replay: {report.difference or report.missing}")
    output = None if state.ending is None else outputs.get(state.ending.output or "")
    if (
        state.status is not Status.COMPLETED
        or output is None
        or orjson.loads(output) != scene.outcome
    ):
        found.append(f"{state.status} with {output!r}")
    reasons = [letter.reason for letter in await backend.dead_letters.list()]
    found += [f"dead letter: {reason}" for reason in reasons if reason != CRASHED]
    found += scene.witness.violations + await scene.examined()
    return found + await left_behind(scene)


async def whole(scene: Scene, body: bytes) -> bytes:
    """Return an output itself where only a reference to it is stored with the workflow."""
    reference = blob_ref(orjson.loads(body))
    if reference is None:
        return body
    return await scene.backend.blobs.get(scene.workflow_id, reference.hash) or b"a lost blob"


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

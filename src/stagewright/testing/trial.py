"""One workflow, run from its start to its end in virtual time by the real code over memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from stagewright.adapters.memory import open_backend
from stagewright.application.agents import Agent
from stagewright.application.catalog import Catalog, Compiled
from stagewright.application.commands import Commands
from stagewright.application.control import Control
from stagewright.application.explain import Scene, explain
from stagewright.application.orchestrator import Orchestrator, OrchestratorOptions
from stagewright.application.replay import replay_report
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.domain.builder import Workflow
from stagewright.domain.definition import AgentStage, Definition
from stagewright.domain.errors import StagewrightError, TimedOut, Unreachable
from stagewright.domain.snapshot import decode_state
from stagewright.domain.workflow import (
    ApprovalWait,
    Awaiting,
    GroupWait,
    HeldWait,
    RetryWait,
    SignalWait,
    TaskWait,
    TimerWait,
    WorkflowState,
)
from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import connection_of
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.control import RegisterRequest, StartRequest
from stagewright.ports.views import WorkflowView
from stagewright.ports.workflow_store import Stored
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import Faults, Process
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.people import People
from stagewright.testing.randomness import SeededRandom
from stagewright.testing.simulation.processes import Life, ProcessClock, Supervisor
from stagewright.testing.simulation.records import Records
from stagewright.testing.witness import Witness

FOREVER_S = 1e9
GIVE_UP_S = 11 * 366 * 86_400.0
"""Longer than any stage may wait."""
KEY = "trial"
OPTIONS = BackendOptions(partitions=1, feed_retention_s=FOREVER_S)
FAR_MS = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often processes look by themselves for what they were not told."""

    orchestrator: OrchestratorOptions
    runner: RunnerOptions
    leaps: bool
    """Time leaps over long waits, because somebody would look far too often meanwhile."""


CALM = Pace(
    OrchestratorOptions(
        wait_s=FOREVER_S, ownership_ttl_s=FOREVER_S, reconcile_s=FOREVER_S, retain_every_s=FOREVER_S
    ),
    RunnerOptions(
        lease_s=FOREVER_S, sweep_s=FOREVER_S, sweep_most_s=FOREVER_S, presence_s=FOREVER_S,
        presence_ttl_s=FOREVER_S, grace_s=0.1,
    ),
    leaps=False,
)  # fmt: skip
"""Nobody dies, and every hint arrives: there is nothing to look for."""
WATCHFUL = Pace(
    OrchestratorOptions(
        wait_s=5.0, ownership_ttl_s=6.0, reconcile_s=15.0, retain_every_s=FOREVER_S
    ),
    RunnerOptions(
        lease_s=5.0, sweep_s=2.0, sweep_most_s=5.0, presence_s=10.0, presence_ttl_s=30.0,
        grace_s=0.1,
    ),
    leaps=True,
)  # fmt: skip


class CompiledOnce(Catalog):
    """Compiles a definition once for all runs of a play."""

    def __init__(self, life: Life, shared: dict[str, Compiled]) -> None:
        super().__init__(life.backend.registry, life.clock)
        self._known_to_all = shared

    async def _compile(self, definition: Definition) -> Compiled:
        hash_ = definition.content_hash
        if hash_ not in self._known_to_all:
            self._known_to_all[hash_] = await super()._compile(definition)
        return self._known_to_all[hash_]


class Waits(StagewrightError):
    """The workflow waits for somebody, and nobody in the test gives it."""


@dataclass
class Flow:
    """A running workflow, for those who act in the middle of it."""

    client: Stagewright
    workflow_id: str
    _backend: Backend

    async def reaches(self, stage: str) -> None:
        """Return when a stage is active; TimedOut when the workflow ends without it."""
        async for state in states(self._backend, self.workflow_id):
            if stage in state.active_stages:
                return
        raise TimedOut(f"waiting for stage {stage}", remedy="The workflow has ended.")


During = Callable[[Flow], Awaitable[None]]


@dataclass
class Play:
    """What is to be run."""

    workflow: Workflow
    given: Any
    agents: list[Agent[..., Any]]
    people: People
    during: During | None = None
    compiled: dict[str, Compiled] = field(default_factory=dict)
    """What was compiled for one run serves the others."""

    @property
    def patience_s(self) -> float:
        """How long no step may be taken: longer than attempts, lost leases and takeovers last."""
        stages = self.workflow.definition.every_stage()
        timeouts = [one.timeout_s for one in stages if isinstance(one, AgentStage)]
        return 300.0 + 2 * max(timeouts, default=0.0)


class Trial:
    """The processes of one run: a client, an orchestrator, a runner, and whoever acts meanwhile."""

    def __init__(
        self, play: Play, clock: VirtualClock, faults: Faults, pace: Pace, *, deciding: bool = True
    ) -> None:
        self.play, self.clock, self.faults, self.pace = play, clock, faults, pace
        self.deciding = deciding
        self.ids, self.randomness = SeededIdentifiers(1, clock), SeededRandom(1)
        self.witness = Witness()
        self.broken: list[str] = []
        self.url = f"memory://trial-{id(self)}"
        self.workflow_id = ""
        self._moved_s = 0.0
        self.wrapped: Callable[[Backend], Backend] = lambda backend: backend
        """Adds whatever stands between the processes' ports and the backend."""
        self.supervisor = Supervisor(
            clock, random.Random(1), Records(clock), self._opened, self.broken.append  # noqa: S311
        )  # fmt: skip
        self._ended: asyncio.Future[None]

    async def run(self) -> WorkflowView:
        """Run to the end; raise Waits when it waits for what nobody gives."""
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # tasks of the killed
        async with open_backend(self.url, OPTIONS, self.clock) as backend:
            await self._register(backend)
            self.supervisor.begin("orchestrator", self._orchestrate)
            self.supervisor.begin("runner", self._serve)
            self.supervisor.begin("client", self._ask)
            try:
                await self._until_the_end(backend)
                await self._examine(backend)
                return await self._control(backend).queries.show(self.workflow_id)
            finally:
                await self.supervisor.end()

    async def _until_the_end(self, backend: Backend) -> None:
        acting = asyncio.ensure_future(self._act(backend))
        give_up = asyncio.ensure_future(self._stands_still())
        try:
            await asyncio.wait({acting, self._ended, give_up}, return_when=asyncio.FIRST_COMPLETED)
            if acting.done():
                acting.result()
                await asyncio.wait({self._ended, give_up}, return_when=asyncio.FIRST_COMPLETED)
            (give_up if give_up.done() else self._ended).result()
        finally:
            for task in (acting, give_up):
                task.cancel()

    async def _examine(self, backend: Backend) -> None:
        """The log must give the snapshot, byte for byte."""
        report = await replay_report(backend, self.workflow_id)
        if not report.equal:
            self.broken.append(f"the log does not give the snapshot: {report.difference}")

    async def _stands_still(self) -> None:
        """Raise TimedOut once no step was taken for longer than any agent may take."""
        patience_s = GIVE_UP_S
        if self.pace.leaps:
            patience_s = self.play.patience_s
        while self.clock.monotonic_s() < self._moved_s + patience_s:
            await self.clock.sleep(patience_s / 4)
        raise TimedOut(f"a step of workflow {self.play.workflow.name}", after_s=patience_s)

    # --- processes -----------------------------------------------------------------------------

    async def _opened(self, process: Process) -> AsyncIterator[Life]:
        clock = ProcessClock(self.clock, process, 0)
        async with open_backend(self.url, OPTIONS, clock) as backend:
            watched = self.witness.watched(self.wrapped(backend))
            yield Life(process, self.faults.ports(watched, process), clock)

    async def _orchestrate(self, life: Life) -> None:
        catalog = self._catalog(life)
        parts = (life.backend, catalog, life.clock, self.ids, self.randomness)
        await Orchestrator(*parts, options=self.pace.orchestrator).run()

    async def _serve(self, life: Life) -> None:
        if not self.play.agents:
            return
        catalog = self._catalog(life) if self.deciding else None
        agents = dict.fromkeys(self.play.agents, 10)
        parts = (life.backend, agents, life.clock, self.ids, self.randomness)
        await AgentRunner(*parts, options=self.pace.runner, catalog=catalog).run()

    async def _ask(self, life: Life) -> None:
        """Start the workflow, and say what people say, each in the same words until answered."""
        try:
            await self._see_through(life)
        except (Unreachable, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - whoever runs the trial must hear of it
            if not self._ended.done():
                self._ended.set_exception(error)

    async def _see_through(self, life: Life) -> None:
        workflow = self.play.workflow
        catalog = self._catalog(life)
        commands = Commands(life.backend, catalog, life.clock, self.ids, self.randomness)
        name = f"{workflow.name}@{workflow.version}"
        request = StartRequest(definition=name, input=self.play.given, key=KEY)
        self.workflow_id = (await commands.start(request)).workflow_id
        async for state in states(life.backend, self.workflow_id):
            self._moved_s = self.clock.monotonic_s()
            for said in self.play.people.says(state):
                await commands.command(self.workflow_id, said)
                break  # what was said may have changed all the rest
            else:
                self._look(state)
        if not self._ended.done():
            self._ended.set_result(None)

    def _look(self, state: WorkflowState) -> None:
        """Nothing is to be said: leap over a long wait, or tell that nobody will ever come."""
        waits = [wait for wait in state.awaiting.values() if not isinstance(wait, GroupWait)]
        if any(isinstance(wait, TaskWait) for wait in waits):
            return
        instants = [at_ms for wait in waits if (at_ms := _instant(wait)) is not None]
        if state.deadline_at_ms is not None:
            instants.append(state.deadline_at_ms)
        if not instants and self.play.during is None:
            reasons = "; ".join(one.reason for one in _reasons(state) if one.kind != "group")
            raise Waits(
                f"workflow {self.play.workflow.name} {reasons or 'is paused'}, which nobody gives",
                remedy="Give approvals={STAGE: 'approve'}, signals={NAME: DATA} or during=.",
            )
        if self.pace.leaps and instants and min(instants) > self.clock.now_ms() + FAR_MS:
            self.clock.set_ms(min(instants))
            self._moved_s = self.clock.monotonic_s()

    def _catalog(self, life: Life) -> Catalog:
        return CompiledOnce(life, self.play.compiled)

    # --- the rest ------------------------------------------------------------------------------

    async def _register(self, backend: Backend) -> None:
        contracts = [one.contract.model_dump(mode="json") for one in self.play.agents]
        commands = self._control(backend).commands
        definition = self.play.workflow.data()
        await commands.register(RegisterRequest(definition=definition, contracts=contracts))

    def _control(self, backend: Backend) -> Control:
        return Control(backend, self.clock, self.ids, self.randomness)

    async def _act(self, backend: Backend) -> None:
        """Let the test act, over ports that no fault reaches."""
        if self.play.during is None:
            return
        while not self.workflow_id:
            await self.clock.sleep(0.01)
        connection = connection_of(self._control(backend))
        client = Stagewright.over(lambda: nullcontext(connection))
        await self.play.during(Flow(client, self.workflow_id, backend))


def _reasons(state: WorkflowState) -> list[Any]:
    nothing: Any = None  # a plan is not asked for what waits for people
    return explain(state, Scene(nothing, {}, (), "the orchestrator"))


def _instant(wait: Awaiting) -> int | None:
    """When a wait ends by itself, None when it does not or an agent is at work."""
    if isinstance(wait, RetryWait | TimerWait | SignalWait | ApprovalWait):
        return wait.at_ms
    assert isinstance(wait, HeldWait)
    return None


async def states(backend: Backend, workflow_id: str) -> AsyncIterator[WorkflowState]:
    """Yield a workflow's state now and after each step, until it has ended."""
    _, cursor = await backend.bus.replay("now", 1)
    while True:
        (stored,) = await backend.store.load([workflow_id])
        assert isinstance(stored, Stored)
        state = decode_state(stored.snapshot)
        if state.status.terminal:
            return
        yield state
        _, cursor = await backend.bus.replay(cursor, 1_000, FOREVER_S)

"""The agent runner: claims tasks, lets agents do them, hands in the results."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self

import anyio
import structlog

from stagewright.application.agents import Agent
from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.context import Channels
from stagewright.application.live import LiveWorkflows
from stagewright.application.runner_claims import Claims
from stagewright.application.runner_contracts import register_contracts
from stagewright.application.runner_deadlines import Deadlines
from stagewright.application.runner_deltas import DeltaWriter
from stagewright.application.runner_handover import BySteps, Handover, ThroughInbox
from stagewright.application.runner_heartbeat import Heartbeat
from stagewright.application.runner_heartbeat_thread import HeartbeatBackend, HeartbeatThread
from stagewright.application.runner_hints import Hints
from stagewright.application.runner_notes import NoteWriter
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity, Presence
from stagewright.application.runner_roster import Roster
from stagewright.application.runner_run import Run, RunKey
from stagewright.application.runner_sweeps import Sweeps
from stagewright.application.runner_work import Work
from stagewright.domain.envelope import StageResult
from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.task import ClaimedTask, TaskLease

log = structlog.get_logger(__name__)

UNWIND_S = 2.0
"""How long interrupted agents may clean up before their tasks are handed back."""


class AgentRunner:
    """Serves agents, each with a limit on how many of its tasks run at once.

    `heartbeat_backend` opens a second connection for the heartbeats' thread; without it they run on
    this event loop, which suits a backend that lives in this process: while the loop is blocked,
    nobody is there to find a lease expired. With it, `clock` must be usable from any thread.

    With a `catalog` it decides what its results make of their workflows and commits that itself;
    without, or when it should not, results go through the inbox to an orchestrator.
    """

    def __init__(  # noqa: PLR0913 - the ports it works with
        self,
        backend: Backend,
        agents: Mapping[Agent[..., Any], int],
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
        *,
        options: RunnerOptions | None = None,
        identity: Identity | None = None,
        heartbeat_backend: HeartbeatBackend | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self.options = options = options or RunnerOptions()
        self.identity = identity = identity or Identity(f"agent-{ids.short()}")
        self.ready = asyncio.Event()
        self._backend, self._clock = backend, clock
        self._stopping, self._idle = asyncio.Event(), asyncio.Event()
        self._runs: dict[RunKey, Run] = {}
        self._roster = Roster(agents, identity.holder)
        self._notes = NoteWriter(backend.bus, clock)
        self._deltas = DeltaWriter(backend.bus, clock)
        channels = Channels(self._notes, self._deltas, backend.blobs, clock, ids, options.bounds)
        threads = sum(s.limit for s in self._roster.served if not s.agent.is_async)
        self._work = Work(channels, threads, options.inline_bytes)
        self._claims = Claims(
            backend.tasks,
            _handover(backend, clock, ids, randomness, catalog),
            clock,
            self._roster,
            identity.holder,
            lease_s=options.lease_s,
            batch=options.batch,
            start=self._start,
            settled=self._settle,
        )
        self._hints = Hints(backend.bus, clock, self._roster, self._claims, self._doubt)
        self._sweeps = Sweeps(
            self._claims, clock, randomness, first_s=options.sweep_s, most_s=options.sweep_most_s
        )
        self._deadlines = Deadlines(clock, self._runs.values)
        self._presence = Presence(
            backend.kv, clock, identity, self._roster,
            every_s=options.presence_s, ttl_s=options.presence_ttl_s,
        )  # fmt: skip
        self._heartbeat = Heartbeat(self._held, self._refuse, options.lease_s)
        self._heartbeat_backend = heartbeat_backend
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Return when the agents are served; raise what keeps them from being served."""
        self._task = asyncio.create_task(self.run())
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        if not self.ready.is_set():
            ready.cancel()
            await self._task
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Stop gracefully and wait for it; after an error at once, handing tasks back."""
        assert self._task is not None  # noqa: S101  # entered
        self.stop()
        if error is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        else:
            await self._task

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what runs has ended or the grace time is over."""
        self._stopping.set()
        self._claims.close()

    async def run(self) -> None:
        """Serve until stopped. Contracts are registered first: Conflict when one has changed."""
        await register_contracts(
            self._backend.registry,
            self._clock,
            [served.agent.contract for served in self._roster.served],
            development=self.options.development,
        )
        await self._presence.tell()
        beating = self._beat_elsewhere()
        try:
            async with anyio.create_task_group() as duties:
                for duty in (self._hints, self._claims, self._sweeps, self._deadlines,
                             self._notes, self._deltas, self._presence):  # fmt: skip
                    duties.start_soon(duty.run)
                if beating is None:
                    duties.start_soon(self._heartbeat.run, self._backend.tasks, self._clock)
                self.ready.set()
                await self._stopping.wait()
                await self._finish()
                duties.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go(beating)

    def _beat_elsewhere(self) -> HeartbeatThread | None:
        if self._heartbeat_backend is None:
            return None
        loop = asyncio.get_running_loop()

        def refused(lease: TaskLease) -> None:
            loop.call_soon_threadsafe(self._refuse, lease)

        heartbeat = Heartbeat(self._held, refused, self.options.lease_s)
        thread = HeartbeatThread(heartbeat, self._heartbeat_backend, self._clock)
        thread.start()
        return thread

    # --- one task ----------------------------------------------------------------------------

    def _start(self, claimed: ClaimedTask) -> None:
        now_ms = self._clock.now_ms()
        served = self._roster.by_lane[claimed.lane]
        served.running += 1
        served.queued.observe(now_ms - claimed.queued_at_ms)
        run = Run(claimed, served, now_ms)
        self._runs[run.key] = run
        self._idle.clear()
        self._deadlines.watch(run)
        run.worker = asyncio.get_running_loop().create_task(self._work.perform(run))
        run.worker.add_done_callback(partial(self._end, run))

    def _end(self, run: Run, worker: asyncio.Task[StageResult]) -> None:
        """Hand in the result, unless nobody wants it any more.

        A callback, because a task that is cancelled before its first step runs no `finally`.
        """
        run.served.running -= 1
        if run.context is not None:
            run.context.abandon()
        error = None if worker.cancelled() else worker.exception()
        if error is not None:
            log.error("run_broke", task=run.claimed.task_id, exc_info=error)
        if run.refused is None and error is None and not worker.cancelled():
            self._claims.hand_in(run, worker.result())
        else:
            log.debug("run_given_up", task=run.claimed.task_id, reason=run.refused)
            self._settle(run)
            self._claims.hint()

    def _settle(self, run: Run) -> None:
        """Forget a task that was handed in or given up."""
        self._runs.pop(run.key, None)
        if not self._runs:
            self._idle.set()

    def _held(self) -> list[TaskLease]:
        """The leases of now; also called from the heartbeats' thread, so from a copy."""
        return [run.lease for run in self._runs.copy().values() if run.refused is None]

    def _refuse(self, lease: TaskLease) -> None:
        run = self._runs.get((lease.task_id, lease.token))
        if run is not None:
            log.debug("lease_refused", task=lease.task_id, token=lease.token)
            run.refuse("its lease is not held any more")

    async def _doubt(self, workflow_id: str) -> None:
        """Find out at once whether the leases on a workflow's tasks are still held."""
        leases = [r.lease for r in self._runs.values() if r.task.workflow_id == workflow_id]
        try:
            await self._heartbeat.beat(self._backend.tasks, self._clock, leases)
        except StagewrightError as error:
            log.warning("doubt_not_resolved", workflow=workflow_id, error=str(error))

    # --- the end -----------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Wait until all has ended, or the grace time is over."""
        log.info("runner_stopping", running=len(self._runs), grace_s=self.options.grace_s)
        ended = asyncio.create_task(self._ended())
        grace = asyncio.create_task(self._clock.sleep(self.options.grace_s))
        try:
            await asyncio.wait((ended, grace), return_when=asyncio.FIRST_COMPLETED)
        finally:  # also when it is cancelled: nobody else knows of the two
            ended.cancel()
            grace.cancel()

    async def _ended(self) -> None:
        """Wait until nothing runs, nothing is to be handed in, and no claim is under way."""
        await self._claims.at_rest.wait()
        while self._runs:
            await self._idle.wait()
            await self._claims.at_rest.wait()

    async def _let_go(self, beating: HeartbeatThread | None) -> None:
        """Interrupt what still runs, hand its tasks back, say goodbye."""
        left = list(self._runs.values())
        leases = [run.lease for run in left if run.refused is None]
        for run in left:
            run.refuse("the runner stops")
            run.interrupt()
        await self._unwind(run.worker for run in left if run.worker is not None)
        if beating is not None:
            await beating.stop()
        try:
            if leases:
                await self._backend.tasks.release(leases, False, self._clock.now_ms())  # noqa: FBT003
            await self._presence.leave()
        except StagewrightError as error:
            log.warning("goodbye_not_said", handed_back=len(leases), error=str(error))

    async def _unwind(self, workers: Iterable[asyncio.Task[StageResult]]) -> None:
        """Let interrupted agents clean up for a moment; one that will not is left behind."""
        tasks = [*workers]
        if tasks:
            pause = asyncio.create_task(self._clock.sleep(UNWIND_S))
            await asyncio.wait(
                (asyncio.gather(*tasks, return_exceptions=True), pause),
                return_when=asyncio.FIRST_COMPLETED,
            )
            pause.cancel()


def _handover(
    backend: Backend,
    clock: IClock,
    ids: IIdentifiers,
    randomness: IRandom,
    catalog: Catalog | None,
) -> Handover:
    inbox = ThroughInbox(backend.tasks, clock)
    if catalog is None:
        return inbox
    lives = LiveWorkflows(backend.store, catalog)
    return BySteps(lives, BatchProcessor(backend, lives, clock, ids, randomness), inbox)

"""The desk: agents in any language claim tasks here, tell what they do, and hand in results.

Nothing that matters is kept in this process. A lease is a token in the store, a result is found
again in the log, and what a claim was given stands beside its id for a while. So any server may
answer the next call, and a server that dies takes nothing with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import anyio
import orjson
import structlog

from stagewright.application.batch import BatchProcessor
from stagewright.application.catalog import Catalog
from stagewright.application.context import Bounds
from stagewright.application.desk_contracts import Promise, Promises
from stagewright.application.desk_events import Telling
from stagewright.application.desk_finishing import Finishing
from stagewright.application.desk_leases import Leases, task_of
from stagewright.application.desk_polls import Polls
from stagewright.application.desk_presence import Attendance
from stagewright.application.desk_results import Deciding
from stagewright.application.desk_tasks import Bodies, lanes_for, leased_task
from stagewright.application.live import LiveWorkflows
from stagewright.domain.definition import AgentStage
from stagewright.domain.errors import Conflict, NotFound
from stagewright.domain.ids import TaskId
from stagewright.domain.task_body import TaskBody, TaskBodyInvalid, parse_task_body
from stagewright.ports.agent_desk import (
    HOLDER_PREFIX,
    Claimed,
    ClaimRequest,
    Emitted,
    Events,
    Extended,
    Lease,
    LeasedTask,
    Receipt,
    TaskResult,
)
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock, IIdentifiers, IRandom
from stagewright.ports.task import ClaimedTask, TaskLease
from stagewright.ports.task_queue import Claim, Want

log = structlog.get_logger(__name__)

KEPT = 10_000
STOP_S = 2.0
AGAIN_S = 1.0
CLAIM_KEPT_S = 60.0
"""So long after its leases a claim is remembered by its id."""


class Duty(Protocol):
    """What must be done beside the calls."""

    async def run(self) -> None:
        """Do it for ever."""
        ...


class AgentDesk:
    """Implements `IAgentDesk` over a backend; see there for what each call promises."""

    def __init__(
        self,
        backend: Backend,
        catalog: Catalog,
        clock: IClock,
        ids: IIdentifiers,
        randomness: IRandom,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._backend, self._catalog, self._clock = backend, catalog, clock
        lives = LiveWorkflows(backend.store, catalog)
        self._deciding = Deciding(lives, BatchProcessor(backend, lives, clock, ids, randomness))
        self._bodies = Bodies(backend, catalog)
        self.leases = Leases(backend, catalog, clock)
        self.promises = Promises(backend.registry, clock)
        self._finishing = Finishing(
            self.leases, self.promises, self._bodies, self._deciding, backend.blobs, clock
        )
        self.attendance = Attendance(backend.kv, clock)
        self.telling = Telling(backend.bus, backend.store, clock, bounds or Bounds())
        self.polls = Polls(backend.tasks, backend.bus, clock)
        self._names: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Agents by workflow and stage."""
        self._holders: OrderedDict[tuple[str, int], str] = OrderedDict()
        """Who holds the leases that were given here."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what must be done beside the calls, until the block is left.

        Plain tasks, so that the block may be left in any order with others.
        """
        duties = (self.polls, self._deciding, self.attendance, *self.telling.duties())
        tasks = [asyncio.create_task(self._keep_going(duty)) for duty in duties]
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_S):
                await self.polls.settle()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_going(self, duty: Duty) -> None:
        """Run a duty; one that breaks is begun again, as requests depend on it."""
        while True:
            try:
                await duty.run()
            except Exception:
                log.exception("desk_duty_broke", duty=type(duty).__name__)
            await self._clock.sleep(AGAIN_S)

    def close(self) -> None:
        """Send away whoever waits, and let nobody wait any more."""
        self.polls.close()

    # --- claiming ------------------------------------------------------------------------------

    async def claim(self, agent: str, request: ClaimRequest) -> Claimed:
        """Lease tasks; when there is none, wait for one."""
        holder = request.holder
        lanes = lanes_for(agent, request.version)
        facts = {"version": request.version, "lanes": lanes, "limit": request.slots}
        if request.present:
            await self.attendance.arrives(holder, agent, facts)
        tasks: list[LeasedTask] = []
        try:
            tasks = await self._remembered(agent, request)
            if not tasks:
                claim = Claim(
                    HOLDER_PREFIX + holder, (Want(lanes, request.slots),), request.lease_s
                )
                tasks = await self._claim(agent, request, claim)
        finally:
            until = max((task.expires_at_ms for task in tasks), default=self._clock.now_ms())
            if request.present:
                self.attendance.departs(holder, until)
        return Claimed(tasks=tasks)

    async def _claim(self, agent: str, request: ClaimRequest, claim: Claim) -> list[LeasedTask]:
        """Claim until something is there that fits its agent, or the time is over."""
        end_s = self._clock.monotonic_s() + request.wait_s
        while True:
            left_s = end_s - self._clock.monotonic_s()
            claimed = await self.polls.claim(claim, left_s)
            if not claimed:
                return []
            try:
                tasks = await self._fitting(claimed, request)
                if tasks and not await self._remember(agent, request, claimed):
                    await self.give_back(tasks)  # another call with this id was faster
                    return await self._remembered(agent, request)
            except BaseException:
                self.polls.give_back_soon([_lease(one) for one in claimed])
                raise
            for task in tasks:
                self._holders[task.task, task.token] = request.holder
            while len(self._holders) > KEPT:
                self._holders.popitem(last=False)
            if tasks:
                return tasks

    async def give_back(self, tasks: Sequence[LeasedTask]) -> None:
        """Put tasks back that whoever claimed them was not told of."""
        await self.polls.give_back([TaskLease(task.task, task.token) for task in tasks])

    def give_back_soon(self, tasks: Sequence[LeasedTask]) -> None:
        """The same for whoever cannot wait."""
        self.polls.give_back_soon([TaskLease(task.task, task.token) for task in tasks])

    async def _fitting(
        self, claimed: Sequence[ClaimedTask], request: ClaimRequest
    ) -> list[LeasedTask]:
        """Return what the agent can work on; what it did not agree to take ends as invalid."""
        tasks = []
        for one in claimed:
            given = await self._given(one, request.inline_bytes)
            if isinstance(given, LeasedTask):
                tasks.append(given)
                continue
            failed = TaskResult(token=one.token, status="failure", errors=given)
            with suppress(Conflict):  # somebody else has ended it
                await self._finishing.apply(TaskId.parse(one.task_id), failed, None, "desk")
        return tasks

    async def _given(
        self, one: ClaimedTask, inline_bytes: int
    ) -> LeasedTask | list[dict[str, Any]]:
        """Return a task as it travels, or what keeps any agent from working on it."""
        try:
            body = parse_task_body(one.body)
            named = None if body.contract is None else body.contract.hash
            promise = await self.promises.of(named, one.lane)
            payloads = await self._bodies.inlined(one.task_id, body, inline_bytes)
            problems = await self._refused(promise, one, body)
        except TaskBodyInvalid as error:
            return [{"type": "task_invalid", "message": str(error)}]
        except NotFound as error:
            return [{"type": "blob_missing", "message": error.message}]
        return problems or leased_task(one, body, payloads)

    async def _refused(
        self, promise: Promise | None, one: ClaimedTask, body: TaskBody
    ) -> list[dict[str, Any]]:
        """Return how the input of a task breaks its agent's contract."""
        if promise is None:
            return []
        value = orjson.loads(bytes(body.input))
        if body.blob is not None:
            value = await self._bodies.value(one.task_id, body.blob)
        return [dict(problem) for problem in promise.input_problems(value)]

    async def _remember(
        self, agent: str, request: ClaimRequest, claimed: Sequence[ClaimedTask]
    ) -> bool:
        """Keep what a claim was given beside its id; False when it was given something before."""
        if request.claim_id is None:
            return True
        rows = orjson.dumps([[one.task_id, one.token] for one in claimed])
        return await self._backend.kv.compare_and_set(
            _claim_key(agent, request), None, rows, request.lease_s + CLAIM_KEPT_S,
            self._clock.now_ms(),
        )  # fmt: skip

    async def _remembered(self, agent: str, request: ClaimRequest) -> list[LeasedTask]:
        """Return what this claim was given before, as far as it is still held."""
        if request.claim_id is None:
            return []
        now_ms = self._clock.now_ms()
        rows = await self._backend.kv.get(_claim_key(agent, request), now_ms)
        if rows is None:
            return []
        leases = [Lease(task=task, token=token) for task, token in orjson.loads(rows)]
        held = [one for one in await self.extend(leases, request.lease_s) if one.expires_at_ms]
        if not held:  # it is over and done with: the id may be used again
            await self._backend.kv.delete(_claim_key(agent, request))
        tasks = []
        for one in held:
            found = await self._bodies.again(one.task, one.token, one.expires_at_ms or 0)
            if found is not None:
                body = parse_task_body(found.body)
                inlined = await self._bodies.inlined(one.task, body, request.inline_bytes)
                tasks.append(leased_task(found, body, inlined))
        return tasks

    # --- tasks that are held -------------------------------------------------------------------

    async def extend(self, leases: Sequence[Lease], lease_s: float) -> Sequence[Extended]:
        """Renew leases, never beyond their tasks' deadlines."""
        extended = await self.leases.extend(leases, lease_s)
        for one in extended:
            holder = self._holders.get((one.task, one.token))
            if holder is not None and one.expires_at_ms is not None:
                self.attendance.holds(holder, one.expires_at_ms)
        return extended

    async def release(self, lease: Lease) -> None:
        """Hand a task back; nothing happens when the lease is over."""
        await self.leases.release(lease)
        await self._let_go(lease)

    async def emit(self, task: str, events: Events) -> Emitted:
        """Keep and show what an agent tells."""
        lease = Lease(task=task, token=events.token)
        await self.leases.held(lease)
        return await self.telling.emit(lease, events)

    async def finish(self, task: str, result: TaskResult) -> Receipt:
        """Apply a result; committed before this returns."""
        receipt = await self._finishing.finish(task_of(task), result)
        await self._let_go(Lease(task=task, token=result.token))
        return receipt

    async def _let_go(self, lease: Lease) -> None:
        self._holders.pop((lease.task, lease.token), None)
        await self.telling.close(lease)

    async def agent_of(self, task: str) -> str:
        """Return the name of the agent whose task this is."""
        id_ = task_of(task)
        key = (id_.workflow_id, id_.stage)
        if key not in self._names:
            plan = (await self.leases.live(id_)).compiled.plan.stages.get(id_.stage)
            if plan is None or not isinstance(plan.stage, AgentStage):
                raise NotFound("task", task)
            self._names[key] = plan.stage.agent.partition("@")[0]
            if len(self._names) > KEPT:
                self._names.popitem(last=False)
        return self._names[key]


def _lease(claimed: ClaimedTask) -> TaskLease:
    return TaskLease(claimed.task_id, claimed.token)


def _claim_key(agent: str, request: ClaimRequest) -> str:
    return f"claim:{agent}:{request.holder}:{request.claim_id}"

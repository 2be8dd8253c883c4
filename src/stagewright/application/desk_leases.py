"""Leases of agents over HTTP: renewed for whoever has the token, explained when they are over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagewright.application.catalog import Catalog
from stagewright.application.desk_results import History
from stagewright.application.live import Live, load_one
from stagewright.domain.errors import ValidationFailed, WorkflowNotFound
from stagewright.domain.events import StepRecord
from stagewright.domain.ids import TaskId
from stagewright.ports.agent_desk import Extended, Lease, LeaseLost
from stagewright.ports.backend import Backend
from stagewright.ports.system import IClock
from stagewright.ports.task import TaskLease, TaskRecord

_STATES = {
    "queued": "back in its queue, because the lease ran out or was released",
    "leased": "leased",
    "done": "finished, and its result is to be applied",
    "suspended": "kept back while its workflow is paused",
}


def task_of(text: str) -> TaskId:
    """Return the task that a stranger names; ValidationFailed."""
    try:
        return TaskId.parse(text)
    except ValueError:
        raise ValidationFailed(
            f"{text[:100]!r} is no task.", remedy="Expected WORKFLOW/STAGE/VISIT/ATTEMPT."
        ) from None


class Leases:
    """What the store knows of leases and of the tasks that they are for."""

    def __init__(self, backend: Backend, catalog: Catalog, clock: IClock) -> None:
        self._backend, self._catalog, self._clock = backend, catalog, clock
        self._history = History(backend.store)

    async def live(self, task: TaskId) -> Live:
        """Return the task's workflow; WorkflowNotFound."""
        live = await load_one(self._backend, self._catalog, task.workflow_id)
        if live is None:
            raise WorkflowNotFound(task.workflow_id)
        return live

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what the queue knows of a task."""
        (records,) = await self._backend.tasks.inspect([task.workflow_id])
        return next((one for one in records if one.task_id == str(task)), None)

    async def step(self, task: TaskId) -> StepRecord | None:
        """Return the step that ended a task, if one did."""
        live = await self.live(task)
        return await self._history.ended(task, live.state.step)

    async def held(self, lease: Lease) -> TaskRecord:
        """Return the record of a lease that is held; LeaseLost says why it is not."""
        task = task_of(lease.task)
        record = await self.record(task)
        if record is None or not holds(record, lease.token):
            raise await self.why_lost(task, lease.token, record)
        return record

    async def extend(self, leases: Sequence[Lease], lease_s: float) -> Sequence[Extended]:
        """Renew leases, and say of each that is over why."""
        given = [TaskLease(str(task_of(lease.task)), lease.token) for lease in leases]
        until = await self._backend.tasks.extend(given, lease_s, self._clock.now_ms())
        return [
            await self._extended(lease, at_ms) for lease, at_ms in zip(leases, until, strict=True)
        ]

    async def _extended(self, lease: Lease, until_ms: int | None) -> Extended:
        given: dict[str, Any] = {"task": lease.task, "token": lease.token}
        if until_ms is not None:
            return Extended(**given, expires_at_ms=until_ms)
        task = task_of(lease.task)
        try:
            lost = await self.why_lost(task, lease.token, await self.record(task))
        except WorkflowNotFound as error:
            return Extended(**given, expires_at_ms=None, reason=error.message)
        given |= {"reason": lost.reason, "holder": lost.holder, "since_ms": lost.since_ms}
        return Extended(**given, expires_at_ms=None)

    async def release(self, lease: Lease) -> None:
        """Hand a task back; nothing happens when the lease is over."""
        given = [TaskLease(str(task_of(lease.task)), lease.token)]
        await self._backend.tasks.release(given, lost=False, now_ms=self._clock.now_ms())

    async def why_lost(self, task: TaskId, token: int, record: TaskRecord | None) -> LeaseLost:
        """Say why a lease is over, and who has the task now."""
        name = str(task)
        if record is None:
            return LeaseLost(name, token, await self._why_gone(task))
        if token > record.token:
            return LeaseLost(name, token, "this token was never given")
        if record.state != "leased":
            return LeaseLost(name, token, f"the task is {_STATES[record.state]}")
        if record.token == token:
            return LeaseLost(name, token, "the time of the task is up")
        return LeaseLost(
            name,
            token,
            f"it ran out or was released, and {record.holder} has held the task since "
            f"{record.claimed_at_ms} with token {record.token}",
            holder=record.holder,
            since_ms=record.claimed_at_ms,
        )

    async def _why_gone(self, task: TaskId) -> str:
        live = await self.live(task)
        step = await self._history.ended(task, live.state.step)
        if step is not None:
            return f"the task was ended at {step.at_ms} by {step.cause}"
        if live.state.status.terminal:
            return f"the workflow is {live.state.status.value}"
        return "nothing waits for the task"


def holds(record: TaskRecord, token: int) -> bool:
    """Whether a token is the one that a task is leased by."""
    return record.state == "leased" and record.token == token

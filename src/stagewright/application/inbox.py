"""From what `receive` returned to messages the kernel understands, grouped by workflow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stagewright.application.catalog import Compiled
from stagewright.domain.envelope import EnvelopeRejected, StageResult, parse_envelope
from stagewright.domain.ids import TaskId, partition_of
from stagewright.domain.leases import LeaseFate, fate
from stagewright.domain.messages import Result, TaskExpired, TimerFired
from stagewright.domain.workflow import Problem
from stagewright.ports.message_bus import DueTimer, InboxMessage
from stagewright.ports.task_queue import TaskLease, TaskRecord

MAX_ENVELOPE_BYTES = 256 * 1024


@dataclass(slots=True)
class Work:
    """One message for one workflow, with what must be acknowledged and proved along with it."""

    workflow_id: str
    message: Any
    cause: str
    inbox: InboxMessage | None = None
    fence: TaskLease | None = None
    result: StageResult | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that no workflow can take, and why."""

    message: InboxMessage
    reason: str


def read_message(message: InboxMessage) -> Work | Refusal:
    """Parse a result; a Refusal names what is wrong with it."""
    if message.oversize_bytes is not None:
        return Refusal(
            message,
            f"envelope of {message.oversize_bytes} bytes; at most {MAX_ENVELOPE_BYTES} are allowed",
        )
    try:
        envelope = parse_envelope(message.body, MAX_ENVELOPE_BYTES)
    except EnvelopeRejected as error:
        return Refusal(message, str(error))
    try:
        at_home = partition_of(envelope.workflow_id) == message.partition
    except ValueError as error:
        return Refusal(message, str(error))
    if not at_home:
        return Refusal(message, f"{envelope.workflow_id} is of another partition")
    return Work(
        workflow_id=envelope.workflow_id,
        message=None,
        cause=f"result {envelope.envelope_id}",
        inbox=message,
        fence=TaskLease(str(envelope.task), envelope.token),
        result=envelope,
    )


def read_timer(timer: DueTimer) -> Work:
    """A timer whose instant has come."""
    message = TimerFired(timer.timer_id, timer.due_at_ms)
    return Work(timer.workflow_id, message, f"timer {timer.timer_id}")


def read_expired(records: Iterable[TaskRecord], now_ms: int) -> tuple[list[Work], list[TaskLease]]:
    """Split expired leases into those that end their attempt and those that go back to the lane."""
    work, requeue = [], []
    for record in records:
        verdict = fate(record.deadline_at_ms, record.lost, now_ms)
        lease = TaskLease(record.task_id, record.token)
        if verdict is LeaseFate.REQUEUE:
            requeue.append(lease)
            continue
        task = TaskId.parse(record.task_id)
        message = TaskExpired(task, timed_out=verdict is LeaseFate.TIMED_OUT)
        cause = f"expired {record.task_id}"
        work.append(Work(task.workflow_id, message, cause, fence=lease))
    return work, requeue


def to_result(envelope: StageResult, compiled: Compiled) -> Result | str:
    """Check a result against its contract; a string says why it cannot belong to the workflow."""
    stage = envelope.task.stage
    plan = compiled.plan.stages.get(stage)
    if plan is None:
        return f"stage {stage!r} is not in {compiled.plan.definition.name}"
    if plan.stage.kind != "agent":
        return f"stage {stage!r} is no agent's: it is {plan.stage.kind}"
    success = envelope.status == "success"
    return Result(
        task=envelope.task,
        success=success,
        output=envelope.output if success else b"null",
        outcome=envelope.outcome,
        errors=tuple(envelope.errors),
        violations=_violations(envelope, compiled) if success else (),
        usage=envelope.usage,
    )


def _violations(envelope: StageResult, compiled: Compiled) -> tuple[Problem, ...]:
    checker = compiled.outputs.get(envelope.task.stage)
    if checker is None or envelope.blob is not None:
        # A big output was validated by its runner; it is checked again by whoever looks inside.
        return ()
    return checker.problems(envelope.value)

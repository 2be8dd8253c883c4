"""From what `receive` returned to messages the kernel understands, grouped by workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stagewright.application.catalog import Compiled
from stagewright.application.stepper import Stepper
from stagewright.domain.decide import timer_ids
from stagewright.domain.effects import in_flight
from stagewright.domain.envelope import (
    EnvelopeRejected,
    StageResult,
    encode_result,
    parse_attributes,
    read_envelope,
)
from stagewright.domain.errors import StagewrightError
from stagewright.domain.ids import TaskId, partition_of
from stagewright.domain.leases import LeaseFate, fate
from stagewright.domain.messages import Result, TaskExpired, TimerFired
from stagewright.domain.stage_result import is_token
from stagewright.domain.workflow import Problem, WorkflowState
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.message_bus import DueTimer, InboxMessage
from stagewright.ports.task import TaskLease, TaskRecord

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
    broken: str = ""
    """What is wrong with the envelope, when only its task and token are known."""

    @property
    def stage(self) -> str | None:
        """The stage that this is about; None for the workflow's own deadline."""
        if isinstance(self.message, TimerFired):
            return (*self.message.timer_id.split("/"), None)[1]
        return TaskId.parse(self.fence.task_id).stage if self.fence is not None else None

    def awaited(self, state: WorkflowState) -> bool:
        """Whether the workflow waits for this."""
        if isinstance(self.message, TimerFired):
            return self.message.timer_id in timer_ids(state)
        return self.fence is not None and self.fence.task_id in in_flight(state).tasks

    @property
    def unread(self) -> bool:
        """Whether the message still lies where it is too big to be read: the bus alone moves it."""
        return self.inbox is not None and self.inbox.oversize_bytes is not None

    def settle(self, stepper: Stepper, reason: str, letter: str, now_ms: int) -> None:
        """Prove and acknowledge this in the step; with a reason, also keep it as a dead letter."""
        if self.fence is not None:
            stepper.fences.append(self.fence)
        if self.unread:
            return  # refused once the step is made
        if self.inbox is not None:
            stepper.consumed.append(self.inbox.position)
        if reason and (body := self._body()):
            id_ = f"{self.workflow_id.partition('-')[0]}-{letter}"
            stepper.dead_letters.append(DeadLetter(id_, self.workflow_id, reason, body, now_ms))

    def _body(self) -> bytes:
        """The envelope, as it came or as its runner would have sent it; empty for timers."""
        if self.inbox is not None:
            return self.inbox.body
        return b"" if self.result is None else encode_result(self.result)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that no workflow can take, and why."""

    message: InboxMessage
    reason: str


def read_message(message: InboxMessage) -> Work | Refusal:
    """Parse a result; a Refusal names what is wrong with it.

    A broken one that can still prove its task, by itself or because its task was completed with it,
    ends the attempt as a broken contract.
    """
    if message.oversize_bytes is not None:
        found = f"envelope of {message.oversize_bytes} bytes"
        return _broken(message, f"{found}; at most {MAX_ENVELOPE_BYTES} are allowed")
    attributes: dict[str, Any] = {}
    try:
        attributes = parse_attributes(message.body, MAX_ENVELOPE_BYTES)
        envelope = read_envelope(attributes)
    except EnvelopeRejected as error:
        return _broken(message, str(error), _lease_in(attributes), error.field, error.reason)
    named = TaskLease(str(envelope.task), envelope.token)
    if message.lease not in (None, named):
        return _broken(message, f"it names {named.task_id} with token {named.token}")
    if partition_of(envelope.workflow_id) != message.partition:
        return Refusal(message, f"{envelope.workflow_id} is of another partition")
    return work_of(envelope, message)


def work_of(result: StageResult, inbox: InboxMessage | None = None) -> Work:
    """What a result asks for; without a message it comes straight from its runner."""
    return Work(
        workflow_id=result.workflow_id,
        message=None,
        cause=f"result {result.envelope_id}",
        inbox=inbox,
        fence=TaskLease(str(result.task), result.token),
        result=result,
    )


def _lease_in(attributes: Mapping[str, Any]) -> TaskLease | None:
    """Return the lease that a broken envelope names all the same."""
    task, token = attributes.get("task"), attributes.get("leasetoken")
    return TaskLease(task, token) if isinstance(task, str) and is_token(token) else None


def _broken(
    message: InboxMessage, said: str, lease: TaskLease | None = None, path: str = "body",
    reason: str = "",
) -> Work | Refusal:  # fmt: skip
    """End the attempt that a broken envelope has the right to, or refuse it."""
    lease = message.lease or lease
    task = _task_of(lease, message.partition)
    if lease is None or task is None:
        return Refusal(message, said)
    wrong = {"type": "contract_violation", "path": path, "message": reason or said}
    return Work(
        workflow_id=task.workflow_id,
        message=Result(task, success=False, violations=(wrong,)),
        cause=f"broken envelope at {message.partition}/{message.position}",
        inbox=message,
        fence=lease,
        broken=said,
    )


def _task_of(lease: TaskLease | None, partition: int) -> TaskId | None:
    """Return the task of a lease; None when there is none in this partition."""
    try:
        if lease is None or not is_token(lease.token):
            return None
        task = TaskId.parse(lease.task_id)
        return task if partition_of(task.workflow_id) == partition else None
    except (StagewrightError, ValueError):
        return None


def proof_in(letter: DeadLetter) -> TaskLease | None:
    """Return the task and token that a dead letter names, None when it names none."""
    item = read_message(InboxMessage(partition_of(letter.letter_id), "", letter.body))
    return item.fence if isinstance(item, Work) else None


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

"""Facts in a workflow's log, in the past tense, and the steps that hold them.

An event carries everything `evolve` needs: the resulting state, the chosen outcome, instants and
drawn jitter. Nothing is asked again on replay, so a log replays to its snapshot byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stagewright.domain.records import Codec, Record, encode
from stagewright.domain.workflow import Answer, BranchEnd, Parked, Problem, StageRecord


class WorkflowCreated(Record, frozen=True, tag_field="type", tag="WORKFLOW_CREATED"):
    """A start was accepted. Its input is stored under the output key `input`."""

    type: ClassVar[str] = "WORKFLOW_CREATED"
    definition: str
    name: str
    version: str
    priority: int
    body_hash: str
    key: str | None = None
    labels: Mapping[str, str] = {}
    deadline_at_ms: int | None = None
    continues: str | None = None
    carried: Mapping[str, StageRecord] = {}
    by: str = ""
    """Who asked for it, as far as the way in could tell."""
    title: str = ""
    description: str = ""


class TaskAssigned(Record, frozen=True, tag_field="type", tag="TASK_ASSIGNED"):
    """A task was put into a lane. The first attempt of a visit is the entry into the stage."""

    type: ClassVar[str] = "TASK_ASSIGNED"
    region: str
    stage: str
    visit: int
    attempt: int
    source: str
    lane: str
    priority: int
    timeout_s: float
    repair: tuple[Problem, ...] = ()
    fresh: bool = False
    """A person asked for it: the counts of failures and repairs start again."""


class StageComplete(Record, frozen=True, tag_field="type", tag="STAGE_COMPLETE"):
    """A stage ended with an outcome, and where that leads."""

    type: ClassVar[str] = "STAGE_COMPLETE"
    region: str
    stage: str
    visit: int
    outcome: str
    to: str
    """Stage name, `complete` or `fail`: the region's new state."""
    attempt: int = 0
    output: str | None = None
    errors: tuple[Problem, ...] = ()
    usage: Mapping[str, Any] = {}


class EntryRefused(Record, frozen=True, tag_field="type", tag="ENTRY_REFUSED"):
    """A stage was entered once more than it may be: a visit of its own, which ends in this step."""

    type: ClassVar[str] = "ENTRY_REFUSED"
    stage: str
    visit: int
    source: str


class TaskFailed(Record, frozen=True, tag_field="type", tag="TASK_FAILED"):
    """An attempt failed, timed out or lost its agent, and will be tried again."""

    type: ClassVar[str] = "TASK_FAILED"
    stage: str
    visit: int
    attempt: int
    errors: tuple[Problem, ...]
    retry_at_ms: int
    usage: Mapping[str, Any] = {}


class ValidationFailed(Record, frozen=True, tag_field="type", tag="VALIDATION_FAILED"):
    """An attempt's result broke the contract; the agent gets it back with what was wrong."""

    type: ClassVar[str] = "VALIDATION_FAILED"
    stage: str
    visit: int
    attempt: int
    errors: tuple[Problem, ...]
    usage: Mapping[str, Any] = {}


class StageHeld(Record, frozen=True, tag_field="type", tag="STAGE_HELD"):
    """A stage failed and waits for a person."""

    type: ClassVar[str] = "STAGE_HELD"
    region: str
    stage: str
    visit: int
    outcome: str
    reason: str
    attempt: int = 0
    errors: tuple[Problem, ...] = ()
    usage: Mapping[str, Any] = {}


class GroupStarted(Record, frozen=True, tag_field="type", tag="GROUP_STARTED"):
    """A parallel stage was entered; its branches start in the same step."""

    type: ClassVar[str] = "GROUP_STARTED"
    region: str
    stage: str
    visit: int
    source: str
    branches: tuple[str, ...]


class BranchEnded(Record, frozen=True, tag_field="type", tag="BRANCH_ENDED"):
    """A branch reached its end; the group expects one branch less."""

    type: ClassVar[str] = "BRANCH_ENDED"
    stage: str
    branch: str
    end: BranchEnd


class BranchesCancelled(Record, frozen=True, tag_field="type", tag="BRANCHES_CANCELLED"):
    """The join was decided; branches no longer needed stop."""

    type: ClassVar[str] = "BRANCHES_CANCELLED"
    stage: str
    branches: tuple[str, ...]
    stages: tuple[str, ...]
    """Stages that were active in them."""


class ApprovalRequested(Record, frozen=True, tag_field="type", tag="APPROVAL_REQUESTED"):
    """People were asked to decide."""

    type: ClassVar[str] = "APPROVAL_REQUESTED"
    region: str
    stage: str
    visit: int
    source: str
    shown: str
    shown_hash: str
    approvers: tuple[str, ...]
    required: int
    at_ms: int | None = None


class ApprovalVoted(Record, frozen=True, tag_field="type", tag="APPROVAL_VOTED"):
    """A person decided."""

    type: ClassVar[str] = "APPROVAL_VOTED"
    stage: str
    visit: int
    decision: str
    by: str
    comment: str = ""
    data: Any = None


class WaitStarted(Record, frozen=True, tag_field="type", tag="WAIT_STARTED"):
    """A wait stage was entered: for an instant, or for a signal perhaps until an instant."""

    type: ClassVar[str] = "WAIT_STARTED"
    region: str
    stage: str
    visit: int
    source: str
    at_ms: int | None = None
    signal: str | None = None


class SignalReceived(Record, frozen=True, tag_field="type", tag="SIGNAL_RECEIVED"):
    """A signal came; `kept` when nothing waited for it yet."""

    type: ClassVar[str] = "SIGNAL_RECEIVED"
    name: str
    payload: str
    kept: bool = False


class SignalTaken(Record, frozen=True, tag_field="type", tag="SIGNAL_TAKEN"):
    """A kept signal met its wait."""

    type: ClassVar[str] = "SIGNAL_TAKEN"
    name: str
    payload: str


class MessageParked(Record, frozen=True, tag_field="type", tag="MESSAGE_PARKED"):
    """Something came while the workflow was paused; it is applied on resume."""

    type: ClassVar[str] = "MESSAGE_PARKED"
    parked: Parked


class WorkflowPaused(Record, frozen=True, tag_field="type", tag="WORKFLOW_PAUSED"):
    """A person paused the workflow."""

    type: ClassVar[str] = "WORKFLOW_PAUSED"
    by: str
    reason: str = ""


class WorkflowResumed(Record, frozen=True, tag_field="type", tag="WORKFLOW_RESUMED"):
    """A person resumed the workflow; what was parked is applied in the same step."""

    type: ClassVar[str] = "WORKFLOW_RESUMED"
    by: str


class WorkflowCompleted(Record, frozen=True, tag_field="type", tag="WORKFLOW_COMPLETED"):
    """The workflow reached `complete`."""

    type: ClassVar[str] = "WORKFLOW_COMPLETED"
    output: str | None = None


class WorkflowFailed(Record, frozen=True, tag_field="type", tag="WORKFLOW_FAILED"):
    """The workflow reached `fail`, or its deadline."""

    type: ClassVar[str] = "WORKFLOW_FAILED"
    reason: str
    stage: str | None = None
    errors: tuple[Problem, ...] = ()


class WorkflowCancelled(Record, frozen=True, tag_field="type", tag="WORKFLOW_CANCELLED"):
    """A person cancelled the workflow."""

    type: ClassVar[str] = "WORKFLOW_CANCELLED"
    by: str
    reason: str = ""


Event = (
    WorkflowCreated
    | TaskAssigned
    | StageComplete
    | EntryRefused
    | TaskFailed
    | ValidationFailed
    | StageHeld
    | GroupStarted
    | BranchEnded
    | BranchesCancelled
    | ApprovalRequested
    | ApprovalVoted
    | WaitStarted
    | SignalReceived
    | SignalTaken
    | MessageParked
    | WorkflowPaused
    | WorkflowResumed
    | WorkflowCompleted
    | WorkflowFailed
    | WorkflowCancelled
)


class StepRecord(Record, frozen=True):
    """One step as logged: its number, unique id, instant, cause, and what happened."""

    n: int
    id: str
    at_ms: int
    cause: str
    """What was applied: `result ID`, `timer ID`, `expired ID`, `command NAME`."""
    events: tuple[Event, ...]
    answer: Answer | None = None


_codec = Codec(StepRecord)


def encode_step(step: StepRecord) -> bytes:
    """Return the log's form of a step."""
    return encode(step)


def decode_step(body: bytes) -> StepRecord:
    """Return the step that a log entry holds."""
    return _codec.decode(body)

"""What a workflow can be told: results, timers, lost leases, and commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagewright.domain.ids import TaskId
from stagewright.domain.records import Record
from stagewright.domain.workflow import Problem, StageRecord


class Result(Record, frozen=True):
    """What an agent reported for a task it held a lease on, after validation."""

    task: TaskId
    success: bool
    output: bytes = b"null"
    """Canonical JSON, or a blob reference."""
    outcome: str | None = None
    """The label that the agent declared."""
    errors: tuple[Problem, ...] = ()
    violations: tuple[Problem, ...] = ()
    """How output or envelope break the contract; empty when they do not."""
    usage: Mapping[str, Any] = {}


class TimerFired(Record, frozen=True):
    """An instant that the workflow waits for has come."""

    timer_id: str
    due_at_ms: int


class TaskExpired(Record, frozen=True):
    """A lease ran out for good: the deadline passed, or too many holders were lost."""

    task: TaskId
    timed_out: bool


class Start(Record, frozen=True):
    """Create a workflow."""

    command_id: str
    input: bytes
    body_hash: str
    key: str | None = None
    priority: int | None = None
    labels: Mapping[str, str] = {}
    deadline_s: float | None = None
    continues: str | None = None
    from_stage: str | None = None
    """A successor starts here instead of at the first stage."""
    carried: Mapping[str, StageRecord] = {}
    carried_outputs: Mapping[str, bytes] = {}
    by: str = ""
    """Who asked for it, as far as the way in could tell."""
    title: str = ""
    description: str = ""


class Signal(Record, frozen=True):
    """Something outside happened."""

    command_id: str
    name: str
    payload: bytes = b"null"


class Decide(Record, frozen=True):
    """A person approves or rejects what they were shown."""

    command_id: str
    stage: str
    visit: int | None
    shown_hash: str | None
    approved: bool
    by: str
    groups: tuple[str, ...] = ()
    comment: str = ""
    data: Any = None


class PauseWorkflow(Record, frozen=True):
    """Let nothing new begin until resumed."""

    command_id: str
    by: str
    reason: str = ""


class ResumeWorkflow(Record, frozen=True):
    """Go on, first with what was parked."""

    command_id: str
    by: str


class CancelWorkflow(Record, frozen=True):
    """End the workflow now."""

    command_id: str
    by: str
    reason: str = ""


class RetryStage(Record, frozen=True):
    """Dispatch a held stage again, in place."""

    command_id: str
    by: str
    stage: str | None = None


class HoldStage(Record, frozen=True):
    """Take a stage out of service after steps of its workflow crashed their process."""

    command_id: str
    stage: str
    reason: str


Command = (
    Start
    | Signal
    | Decide
    | PauseWorkflow
    | ResumeWorkflow
    | CancelWorkflow
    | RetryStage
    | HoldStage
)
Message = Result | TimerFired | TaskExpired | Command

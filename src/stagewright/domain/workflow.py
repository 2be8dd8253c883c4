"""The state of one workflow: a value that events evolve and that is stored as canonical JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from stagewright.domain.records import Record

SCHEMA = 1
COMMANDS_KEPT = 128
SIGNALS_KEPT = 64
INPUT_KEY = "input"
QUARANTINED = "quarantined"
"""Outcome of a held stage whose message could not be applied at all."""

Problem = Mapping[str, Any]
"""An error as agents and validators report it: `type`, `message`, perhaps `path` and more."""


def sentence(problem: Problem, nothing: str = "") -> str:
    """Return what a problem says, with the field it is about; `nothing` when it says nothing."""
    message, path = str(problem.get("message") or nothing), problem.get("path")
    return f"{path}: {message}" if path else message


class Status(StrEnum):
    """Where a workflow stands. The last three are terminal and absorb everything."""

    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing changes any more."""
        return self._value_ in _TERMINAL  # members hash slowly, their values do not


_TERMINAL = frozenset({"completed", "failed", "cancelled"})


class StageRecord(Record, frozen=True):
    """What has become of a stage so far; counts belong to its newest visit."""

    visit: int = 0
    attempt: int = 0
    failures: int = 0
    repairs: int = 0
    source: str = ""
    """Output key that is the stage's input by default."""
    outcome: str | None = None
    """Outcome of the newest visit; None while it lasts."""
    output: str | None = None
    """Output key of the newest visit that had an output."""
    errors: tuple[Problem, ...] = ()
    started_at_ms: int = 0
    ended_at_ms: int | None = None
    ended_step: int = 0
    """Number of the step that ended the newest visit: orders completions."""
    previous_step: int = 0
    """`ended_step` of the visit before: what completed since then is feedback."""


class TaskWait(Record, frozen=True, tag_field="kind", tag="task"):
    """An agent has been asked: its task is queued, leased or about to be reported."""

    kind: ClassVar[str] = "task"
    visit: int
    attempt: int
    since_ms: int
    lane: str
    priority: int
    timeout_s: float
    repair: tuple[Problem, ...] = ()


class RetryWait(Record, frozen=True, tag_field="kind", tag="retry"):
    """The next attempt is due at `at_ms`."""

    kind: ClassVar[str] = "retry"
    visit: int
    attempt: int
    since_ms: int
    at_ms: int
    reason: str
    repair: tuple[Problem, ...] = ()
    """What the attempt that failed was to repair: the next one has to as well."""


class Vote(Record, frozen=True):
    """One person's decision on an approval."""

    decision: str
    by: str
    at_ms: int
    comment: str = ""
    data: Any = None


class ApprovalWait(Record, frozen=True, tag_field="kind", tag="approval"):
    """People have been asked."""

    kind: ClassVar[str] = "approval"
    visit: int
    since_ms: int
    shown: str
    """Output key of what is being approved."""
    shown_hash: str
    approvers: tuple[str, ...]
    required: int
    at_ms: int | None
    votes: tuple[Vote, ...] = ()


class TimerWait(Record, frozen=True, tag_field="kind", tag="timer"):
    """An instant is awaited."""

    kind: ClassVar[str] = "timer"
    visit: int
    since_ms: int
    at_ms: int


class SignalWait(Record, frozen=True, tag_field="kind", tag="signal"):
    """A named signal is awaited, perhaps only until `at_ms`."""

    kind: ClassVar[str] = "signal"
    visit: int
    since_ms: int
    signal: str
    at_ms: int | None


class BranchEnd(Record, frozen=True):
    """How a branch ended: `ok` or `failed`, and its last stage's output key."""

    outcome: str
    output: str | None


class GroupWait(Record, frozen=True, tag_field="kind", tag="group"):
    """Branches run; `expected` shrinks with each that ends or is no longer needed."""

    kind: ClassVar[str] = "group"
    visit: int
    since_ms: int
    expected: tuple[str, ...]
    ended: Mapping[str, BranchEnd] = {}


class HeldWait(Record, frozen=True, tag_field="kind", tag="held"):
    """The failure policy `hold` (or quarantine) waits for a person."""

    kind: ClassVar[str] = "held"
    visit: int
    since_ms: int
    outcome: str
    reason: str


Awaiting = TaskWait | RetryWait | ApprovalWait | TimerWait | SignalWait | GroupWait | HeldWait


class KeptSignal(Record, frozen=True):
    """A signal that came before its wait."""

    name: str
    payload: str
    """Output key."""


class Parked(Record, frozen=True):
    """A result or timer that came while the workflow was paused; applied on resume."""

    kind: str
    """`result`, `timer`, `expired` or `vote`."""
    ref: str
    """The task id or timer id, so that it is no longer in flight."""
    body: Mapping[str, Any]


class Pause(Record, frozen=True):
    """Who paused a workflow, when, and what it did before."""

    by: str
    at_ms: int
    reason: str = ""


class Ending(Record, frozen=True):
    """Why a workflow ended, and what it gave."""

    reason: str
    stage: str | None = None
    output: str | None = None
    errors: tuple[Problem, ...] = ()
    by: str | None = None


class Answer(Record, frozen=True):
    """What a command was told; kept so that a repeated command gets the same answer."""

    command_id: str
    ok: bool
    code: str = "accepted"
    detail: str = ""


class WorkflowState(Record, frozen=True):
    """One execution of a definition. Never changed: `evolve` returns the next one."""

    workflow_id: str
    definition: str
    """Content hash of the definition: a workflow keeps it for life."""
    name: str
    version: str
    status: Status
    created_at_ms: int
    updated_at_ms: int
    priority: int
    schema: int = SCHEMA
    step: int = 0
    step_id: str = ""
    key: str | None = None
    body_hash: str = ""
    """Hash of the start's body: tells a repeated start from a conflicting one."""
    labels: Mapping[str, str] = {}
    deadline_at_ms: int | None = None
    continues: str | None = None
    stages: Mapping[str, StageRecord] = {}
    regions: Mapping[str, str] = {}
    """Region name ("" is the workflow's own) to stage name, `complete` or `fail`."""
    awaiting: Mapping[str, Awaiting] = {}
    """By stage: what each active stage waits for."""
    signals: tuple[KeptSignal, ...] = ()
    paused: Pause | None = None
    parked: tuple[Parked, ...] = ()
    ending: Ending | None = None
    finished_at_ms: int | None = None
    answers: tuple[Answer, ...] = ()
    forgotten_command: str = ""
    """Newest command id that is no longer kept; that and older ones are refused."""
    title: str = ""
    """What people call this one, as said at its start."""
    description: str = ""

    @property
    def current_stage(self) -> str | None:
        """The stage the workflow's own region stands on; a group's name while branches run."""
        state = self.regions.get("")
        return None if state in (None, "complete", "fail") else state

    @property
    def active_stages(self) -> tuple[str, ...]:
        """Every stage that waits for something, groups included, sorted."""
        return tuple(sorted(self.awaiting))

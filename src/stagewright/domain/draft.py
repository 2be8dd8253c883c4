"""A decision in the making: the state so far, the events so far, and what they rest on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from stagewright.domain.events import Event
from stagewright.domain.evolve import NOTHING, evolve
from stagewright.domain.outputs import Outputs
from stagewright.domain.plan import Plan, StagePlan
from stagewright.domain.records import Record
from stagewright.domain.workflow import Answer, StageRecord, WorkflowState


class Context(Record, frozen=True):
    """What a decision may look at besides the state: nothing else."""

    plan: Plan
    workflow_id: str
    outputs: Outputs
    now_ms: int
    jitter: float
    """A draw from [0, 1) for the one backoff that this decision may need."""


class Decision(Record, frozen=True):
    """What a message makes of a workflow: events, new outputs, and an answer or a remark."""

    events: tuple[Event, ...]
    state: WorkflowState | None
    outputs: Mapping[str, bytes] = {}
    answer: Answer | None = None
    remark: str = ""
    """Why nothing happened; empty when something did."""


class Draft:
    """Collects events and applies each at once, so that later choices see the newest state."""

    __slots__ = (
        "answer",
        "context",
        "entering",
        "entries",
        "events",
        "new_outputs",
        "offered",
        "remark",
        "state",
        "transitions",
    )

    def __init__(self, context: Context, state: WorkflowState | None) -> None:
        self.context = context
        self.state = state
        self.events: list[Event] = []
        self.new_outputs: dict[str, bytes] = {}
        self.offered: dict[str, bytes] = {}
        """Outputs that are stored once their stage completes with them, and not when it is held."""
        self.entries: list[tuple[str, str, bool]] = []
        """Stages to be entered, each with its source, and whether a person insists."""
        self.entering = False
        self.answer: Answer | None = None
        self.remark = ""
        self.transitions = 0
        """Stages completed in this decision: bounds cycles that no agent takes part in."""

    @property
    def current(self) -> WorkflowState:
        """The state, which exists by now."""
        if self.state is None:
            msg = f"workflow {self.context.workflow_id} has not been created"
            raise ValueError(msg)
        return self.state

    @property
    def step(self) -> int:
        """Number of the step that this decision becomes."""
        return 1 if self.state is None else self.state.step + 1

    def emit(self, event: Event) -> None:
        """Record a fact and let the state follow."""
        context = self.context
        self.events.append(event)
        self.state = evolve(context.workflow_id, self.state, event, self.step, context.now_ms)

    def store(self, key: str, body: bytes) -> None:
        """Keep a new output under its key."""
        self.new_outputs[key] = body
        self.context.outputs.add(key, body)

    def offer(self, key: str, body: bytes) -> None:
        """Let rules and later stages see an output that a stage may complete with."""
        self.offered[key] = body
        self.context.outputs.add(key, body)

    def keep(self, key: str | None) -> None:
        """Store what was offered under the key; what was stored before stays as it is."""
        if key is not None and key in self.offered:
            self.new_outputs[key] = self.offered[key]

    def plan_of(self, stage: str) -> StagePlan:
        """Return the compiled stage."""
        return self.context.plan.stages[stage]

    def record_of(self, stage: str) -> StageRecord:
        """Return what has become of the stage so far."""
        return self.current.stages.get(stage, NOTHING)

    def ignore(self, remark: str) -> None:
        """Say why nothing happens."""
        self.remark = remark

    def decision(self) -> Decision:
        """Return what was decided."""
        return Decision(tuple(self.events), self.state, self.new_outputs, self.answer, self.remark)


def content_hash(body: bytes) -> str:
    """Return the SHA-256 (hex) that approvals and bodies are compared by."""
    return hashlib.sha256(body).hexdigest()

"""The kernel driven by hand: one workflow, no store, a clock that is a number.

Every step is replayed at once from its logged bytes, and every output is held to the store's rule
(written once, never changed), so each test of a meaning is also a test of these two promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.domain import messages as m
from stagewright.domain.decide import decide, timer_ids
from stagewright.domain.definition import Definition
from stagewright.domain.draft import Context, Decision
from stagewright.domain.effects import in_flight
from stagewright.domain.events import Event, StepRecord, decode_step, encode_step
from stagewright.domain.evolve import apply_step, replay, seal
from stagewright.domain.ids import TaskId
from stagewright.domain.outputs import Outputs
from stagewright.domain.plan import Plan
from stagewright.domain.references import output_keys
from stagewright.domain.snapshot import decode_state, encode_state
from stagewright.domain.workflow import Answer, StageRecord, TaskWait, WorkflowState

START_MS = 1_750_000_000_000
WORKFLOW = "p01-" + "0" * 32


def define(*stages: dict[str, Any], **fields: Any) -> Definition:
    return Definition.model_validate({"name": "job", "stages": stages, **fields})


def agent(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "agent": name, **fields}


def approval(name: str, *approvers: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": "approval", "approvers": approvers or ("*",), **fields}


def wait(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": "wait", **fields}


def parallel(name: str, *branches: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A group whose branches are named after their first stages."""
    named = {f"to-{stages[0]['name']}": stages for stages in branches}
    return {"name": name, "kind": "parallel", "branches": named, **fields}


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass
class Kernel:
    """One workflow. Methods tell it something and return what was decided."""

    plan: Plan
    state: WorkflowState | None = None
    now_ms: int = START_MS
    jitter: float = 0.5
    workflow_id: str = WORKFLOW
    proving: bool = True
    """Whether each step is replayed at once; very wide groups are replayed at the end."""

    def __post_init__(self) -> None:
        self.outputs = Outputs()
        self.stored: dict[str, bytes] = {}
        self.log: list[bytes] = []
        self.last: Decision | None = None
        self._commands = 0
        self.watch: Callable[[WorkflowState | None, WorkflowState], None] = lambda *_: None
        """Called with the states before and after every step."""

    @property
    def now(self) -> WorkflowState:
        assert self.state is not None
        return self.state

    def tell(self, message: Any) -> Decision:
        context = Context(self.plan, self.workflow_id, self.outputs, self.now_ms, self.jitter)
        decision = decide(context, self.state, message)
        self.last = decision
        if decision.events:
            self._take(decision)
        return decision

    def _take(self, decision: Decision) -> None:
        assert decision.state is not None
        before, number = self.state, len(self.log) + 1
        answer = decision.answer
        step = StepRecord(number, f"s{number}", self.now_ms, "test", decision.events, answer)
        self.state = seal(decision.state, step)
        self.log.append(encode_step(step))
        for key, body in decision.outputs.items():
            assert self.stored.setdefault(key, body) == body, f"output {key} was rewritten"
        if self.proving:
            self._replay(before)
        self.watch(before, self.state)

    def _replay(self, before: WorkflowState | None) -> None:
        """The logged bytes alone, on the stored bytes alone, give the same snapshot."""
        stored = None if before is None else decode_state(encode_state(before))
        folded = apply_step(self.workflow_id, stored, decode_step(self.log[-1]))
        assert encode_state(folded) == encode_state(self.now)

    # --- what can be told ---------------------------------------------------------------------

    def start(self, value: Any = None, **fields: Any) -> Decision:
        body = dumps(value)
        given = {"command_id": self.command_id(), "input": body, "body_hash": "body", **fields}
        return self.tell(m.Start(**given))

    def command_id(self) -> str:
        self._commands += 1
        return f"{self._commands:032x}"

    def task(self, stage: str) -> TaskId:
        """The dispatch that the stage waits for."""
        found = self.now.awaiting[stage]
        assert isinstance(found, TaskWait)
        return TaskId(self.workflow_id, stage, found.visit, found.attempt)

    def ok(self, stage: str, value: Any = None, **fields: Any) -> Decision:
        return self.tell(m.Result(self.task(stage), True, dumps(value), **fields))

    def says(self, stage: str, outcome: str, value: Any = None) -> Decision:
        return self.ok(stage, value, outcome=outcome)

    def fails(self, stage: str, kind: str = "error", **error: Any) -> Decision:
        errors = ({"type": kind, "message": f"{stage} broke", **error},)
        return self.tell(m.Result(self.task(stage), False, errors=errors))

    def violates(self, stage: str, message: str = "not a number") -> Decision:
        wrong = ({"type": "contract_violation", "path": "n", "message": message},)
        return self.tell(m.Result(self.task(stage), True, dumps({"n": "x"}), violations=wrong))

    def loses(self, stage: str, *, timed_out: bool = False) -> Decision:
        return self.tell(m.TaskExpired(self.task(stage), timed_out))

    def fire(self, timer_id: str) -> Decision:
        """Go to the timer's instant and let it fire."""
        due_ms = self.timers[timer_id]
        self.now_ms = max(self.now_ms, due_ms)
        return self.tell(m.TimerFired(timer_id, due_ms))

    def signal(self, name: str, payload: Any = None, command_id: str = "") -> Decision:
        return self.tell(m.Signal(command_id or self.command_id(), name, dumps(payload)))

    def vote(self, stage: str, by: str, *, approved: bool = True, **fields: Any) -> Decision:
        given = {"visit": None, "shown_hash": None, "command_id": self.command_id(), **fields}
        return self.tell(m.Decide(stage=stage, approved=approved, by=by, **given))

    def pause(self, command_id: str = "") -> Decision:
        return self.tell(m.PauseWorkflow(command_id or self.command_id(), "ann", "lunch"))

    def resume(self) -> Decision:
        return self.tell(m.ResumeWorkflow(self.command_id(), "ann"))

    def cancel(self) -> Decision:
        return self.tell(m.CancelWorkflow(self.command_id(), "ann", "no more"))

    def retry(self, stage: str | None = None) -> Decision:
        return self.tell(m.RetryStage(self.command_id(), "ann", stage))

    def hold(self, stage: str, reason: str = "it crashed") -> Decision:
        return self.tell(m.HoldStage(self.command_id(), stage, reason))

    # --- what can be seen ---------------------------------------------------------------------

    @property
    def active(self) -> tuple[str, ...]:
        return self.now.active_stages

    @property
    def timers(self) -> dict[str, int]:
        return timer_ids(self.now)

    @property
    def tasks(self) -> list[str]:
        """Task ids in flight without the workflow's id in front."""
        return sorted(id_.partition("/")[2] for id_ in in_flight(self.state).tasks)

    @property
    def answer(self) -> Answer:
        assert self.last is not None
        assert self.last.answer is not None
        return self.last.answer

    def record(self, stage: str) -> StageRecord:
        return self.now.stages[stage]

    def output(self, stage: str) -> Any:
        """The stage's newest output as the store has it."""
        key = self.record(stage).output
        return None if key is None else orjson.loads(self.stored[key])

    def events(self, kind: type[Any] | None = None) -> list[Event]:
        """What happened in the newest decision."""
        assert self.last is not None
        return [e for e in self.last.events if kind is None or isinstance(e, kind)]

    def replayed(self) -> WorkflowState | None:
        """What the whole log gives, from its bytes alone."""
        return replay(self.workflow_id, map(decode_step, self.log))

    def restart(self) -> None:
        """Go on as a process does that knows only the snapshot, and the outputs it refers to."""
        referred = frozenset[str]() if self.state is None else output_keys(self.state)
        self.outputs = Outputs({key: self.stored[key] for key in referred if key in self.stored})
        self.state = None if self.state is None else decode_state(encode_state(self.state))


def kernel(*stages: dict[str, Any], **fields: Any) -> Kernel:
    """A kernel over a definition of these stages; nothing is started yet."""
    return Kernel(Plan(define(*stages, **fields)))


def started(*stages: dict[str, Any], value: Any = None, **fields: Any) -> Kernel:
    """A workflow of these stages that was started."""
    made = kernel(*stages, **fields)
    made.start(value)
    return made

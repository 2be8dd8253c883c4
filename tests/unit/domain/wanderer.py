"""Walks of every kind of message through a workflow, with the promises checked after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.decide import timer_ids
from stagewright.domain.definition import AgentStage, Definition
from stagewright.domain.effects import in_flight
from stagewright.domain.events import decode_step
from stagewright.domain.ids import TaskId
from stagewright.domain.plan import Plan
from stagewright.domain.workflow import (
    COMMANDS_KEPT,
    SIGNALS_KEPT,
    ApprovalWait,
    Status,
    TaskWait,
    WorkflowState,
)
from tests.unit.domain.kernel import Kernel, dumps
from tests.unit.domain.strategies import FAILURES, LABELS

OUTCOMES = (None, None, "ok", "approved", "rejected", "unheard_of", *LABELS, *FAILURES)
VALUES: tuple[Any, ...] = ({"n": 1}, {"n": 2}, {}, None, [1], "text")
PEOPLE = ("ann", "bob", "cem")


class Wanderer:
    """Turns moves into messages for a kernel and remembers them, so that they can come again."""

    def __init__(self, flow: Kernel) -> None:
        self.flow = flow
        self.sent: list[Any] = []
        self.insisted = 0
        """How often a person had something dispatched beyond its bounds."""

    def move(self, kind: str, a: int, b: int) -> None:
        message = MESSAGES[kind](self, a, b)
        if message is None:
            return
        self.sent.append(message)
        before = self.flow.state
        decision = self.flow.tell(message)
        if isinstance(message, m.RetryStage) and decision.events:
            self.insisted += 1
        check(self, before, message, decision)

    # --- choices ------------------------------------------------------------------------------

    def task(self, a: int, b: int) -> TaskId:
        """A task that is awaited, mostly; else a stale, future or unknown one."""
        flow = self.flow
        ready = [s for s, w in sorted(flow.now.awaiting.items()) if isinstance(w, TaskWait)]
        if ready and b != 11:
            return flow.task(ready[a % len(ready)])
        names = [*sorted(flow.plan.stages), "unheard-of"]
        return TaskId(flow.workflow_id, names[a % len(names)], 1 + b % 3, 1 + a % 3)

    def stage(self, a: int) -> str:
        names = [*sorted(self.flow.now.awaiting), *sorted(self.flow.plan.stages)]
        return names[a % len(names)]


def _result(w: Wanderer, a: int, b: int) -> m.Result:
    return m.Result(
        w.task(a, b), True, dumps(VALUES[b % len(VALUES)]), outcome=OUTCOMES[b % len(OUTCOMES)]
    )


def _success(w: Wanderer, a: int, b: int) -> m.Result:
    return m.Result(w.task(a, b), True, dumps({"n": b}))


def _failure(w: Wanderer, a: int, b: int) -> m.Result:
    kinds = ("error", "fatal", "input_invalid", "contract_violation")
    error = {"type": kinds[b % 4], "message": "broke", "final": b == 7}
    return m.Result(w.task(a, b), False, errors=(error,))


def _violation(w: Wanderer, a: int, b: int) -> m.Result:
    wrong = {"type": "contract_violation", "path": "n", "message": "wrong"}
    return m.Result(w.task(a, b), True, b"{}", violations=(wrong,))


def _expiry(w: Wanderer, a: int, b: int) -> m.TaskExpired:
    return m.TaskExpired(w.task(a, b), timed_out=b % 2 == 0)


def _timer(w: Wanderer, a: int, b: int) -> m.TimerFired:
    """A timer that is set, mostly at its instant; else one that nobody set."""
    timers = sorted(timer_ids(w.flow.now).items())
    if not timers or b == 11:
        return m.TimerFired(f"timer/{w.stage(a)}/{b}", w.flow.now_ms)
    id_, due_ms = timers[a % len(timers)]
    if b < 9:
        w.flow.now_ms = max(w.flow.now_ms, due_ms)
    return m.TimerFired(id_, due_ms)


def _vote(w: Wanderer, a: int, b: int) -> m.Decide:
    asked = [s for s, x in sorted(w.flow.now.awaiting.items()) if isinstance(x, ApprovalWait)]
    stage = asked[a % len(asked)] if asked else w.stage(a)
    visit = None if b < 9 else b - 8
    command_id = w.flow.command_id()
    return m.Decide(command_id, stage, visit, None, b % 3 != 0, PEOPLE[a % 3])


def _again(w: Wanderer, a: int, b: int) -> Any:
    """Any message that was sent before, with the same ids."""
    return w.sent[(a * 12 + b) % len(w.sent)] if w.sent else None


def _pass_time(w: Wanderer, a: int, b: int) -> None:
    w.flow.now_ms += 1_000 * (a * 12 + b)


def _hold(w: Wanderer, a: int, b: int) -> m.HoldStage | None:
    return m.HoldStage(w.flow.command_id(), w.stage(a), "crashed") if b > 8 else None


def _cancel(w: Wanderer, a: int, b: int) -> m.CancelWorkflow | None:
    rarely = a == b == 5
    return m.CancelWorkflow(w.flow.command_id(), "ann") if rarely else None


def _signal(w: Wanderer, a: int, b: int) -> m.Signal:
    return m.Signal(w.flow.command_id(), "st"[a % 2], dumps(b))


def _pause(w: Wanderer, a: int, b: int) -> m.PauseWorkflow | None:
    return m.PauseWorkflow(w.flow.command_id(), PEOPLE[a % 3]) if b % 2 else None


def _resume(w: Wanderer, a: int, _b: int) -> m.ResumeWorkflow:
    return m.ResumeWorkflow(w.flow.command_id(), PEOPLE[a % 3])


def _retry(w: Wanderer, a: int, b: int) -> m.RetryStage:
    return m.RetryStage(w.flow.command_id(), "ann", None if b < 6 else w.stage(a))


def _start(w: Wanderer, _a: int, b: int) -> m.Start:
    return m.Start(w.flow.command_id(), b"null", "body" if b else "other")


MESSAGES: dict[str, Callable[[Wanderer, int, int], Any]] = {
    "success": _success,
    "result": _result,
    "failure": _failure,
    "violation": _violation,
    "expiry": _expiry,
    "timer": _timer,
    "signal": _signal,
    "vote": _vote,
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
    "hold": _hold,
    "cancel": _cancel,
    "again": _again,
    "start": _start,
    "time": _pass_time,
}
MOVES = (*MESSAGES, *["success"] * 6, *["timer", "vote", "signal", "failure", "resume"] * 2)
"""What brings a workflow on comes more often."""


def wandered(
    definition: Definition, walk: Sequence[tuple[str, int, int]], *, forget: bool = False
) -> Kernel:
    """Start a workflow and walk through it; every promise is checked after every move."""
    flow = Kernel(Plan(definition))
    flow.start({"n": 1, "never": "no instant"})
    wanderer = Wanderer(flow)
    for kind, a, b in walk:
        if forget:
            flow.restart()
        wanderer.move(kind, a, b)
    check_log(wanderer)
    return flow


# --- promises -------------------------------------------------------------------------------------


def check(w: Wanderer, before: WorkflowState | None, message: Any, decision: Any) -> None:
    """Assert all that must hold after any message."""
    flow, after = w.flow, w.flow.now
    if before is not None and before.status.terminal:
        assert after is before, "a terminal state changed"
        assert not decision.events
    assert decision.events or decision.remark, "nothing happened and nobody said why"
    if type(message) in COMMANDS:
        assert decision.answer is not None, "a command got no answer"
    assert after.step == len(flow.log)
    assert len(after.answers) <= COMMANDS_KEPT
    assert len(after.signals) <= SIGNALS_KEPT
    if after.status.terminal:
        assert (flow.tasks, flow.timers, after.awaiting, after.parked) == ([], {}, {}, ())
    else:
        check_waiting(after)
        check_bounds(w, after)


COMMANDS = (
    m.Start,
    m.Signal,
    m.Decide,
    m.PauseWorkflow,
    m.ResumeWorkflow,
    m.CancelWorkflow,
    m.RetryStage,
    m.HoldStage,
)


def check_waiting(state: WorkflowState) -> None:
    """Every workflow that is not terminal waits for something, and only for that."""
    assert state.awaiting
    assert (state.paused is not None) == (state.status is Status.PAUSED)
    assert state.paused is not None or not state.parked
    flight = in_flight(state)
    for id_ in flight.tasks:
        task = TaskId.parse(id_)
        wait = state.awaiting[task.stage]
        assert isinstance(wait, TaskWait)
        assert (wait.visit, wait.attempt) == (task.visit, task.attempt)
    parked = {parked.ref for parked in state.parked}
    for stage, wait in state.awaiting.items():
        assert wait.visit == state.stages[stage].visit
        if isinstance(wait, TaskWait):
            id_ = f"{state.workflow_id}/{stage}/{wait.visit}/{wait.attempt}"
            assert (id_ in flight.tasks) != (id_ in parked)
    for timer in timer_ids(state).keys() - parked:
        assert timer in flight.timers


def check_bounds(w: Wanderer, state: WorkflowState) -> None:
    """Counts stay within what the definition allows, plus what people insisted on."""
    for name, record in state.stages.items():
        stage = w.flow.plan.stages[name].stage
        if isinstance(stage, AgentStage):
            assert record.failures < stage.retry.attempts
            assert record.repairs <= stage.repairs
            tries = stage.retry.attempts + stage.repairs
            assert record.attempt <= tries * (1 + w.insisted)


def check_log(w: Wanderer) -> None:
    """Steps count 1 to n, each visit completes once, and none is entered beyond `max_visits`."""
    steps = [decode_step(body) for body in w.flow.log]
    assert [step.n for step in steps] == list(range(1, len(steps) + 1))
    events = [event for step in steps for event in step.events]
    completed = [(e.stage, e.visit) for e in events if isinstance(e, ev.StageComplete)]
    assert len(set(completed)) == len(completed), "a visit completed twice"
    entered = {(e.stage, e.visit) for e in events if isinstance(e, ENTRIES)}
    for name, times in Counter(stage for stage, _ in entered).items():
        limit = w.flow.plan.stages[name].stage.max_visits
        assert limit is None or times <= limit + w.insisted


ENTRIES = ev.TaskAssigned | ev.GroupStarted | ev.ApprovalRequested | ev.WaitStarted

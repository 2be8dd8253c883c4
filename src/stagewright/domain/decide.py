"""`decide`: what a message makes of a workflow. Pure: no clock, no I/O, no randomness of its own.

Each kind of message has one handler in one visible table. A handler emits events on the draft, or
says in a remark why nothing happens. Commands always get an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stagewright.domain import definition as d
from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.commands import COMMANDS, refuse
from stagewright.domain.draft import Context, Decision, Draft
from stagewright.domain.ids import TaskId, output_key
from stagewright.domain.parking import park, unpark
from stagewright.domain.stages import assign, complete, ruled_outcome
from stagewright.domain.workflow import (
    QUARANTINED,
    ApprovalWait,
    HeldWait,
    Problem,
    RetryWait,
    SignalWait,
    TaskWait,
    TimerWait,
    WorkflowState,
)

_MS = 1_000


def decide(context: Context, state: WorkflowState | None, message: m.Message) -> Decision:
    """Return what `message` makes of `state`; None as state means that nothing was started yet."""
    draft = Draft(context, state)
    command = COMMANDS.get(type(message))
    if command is not None:
        _command(draft, message, command)
    else:
        apply(draft, message)
    return draft.decision()


def _command(draft: Draft, message: Any, handler: Callable[[Draft, Any], None]) -> None:
    state = draft.state
    if state is not None:
        known = next((a for a in state.answers if a.command_id == message.command_id), None)
        if known is not None:
            draft.answer = known
            draft.ignore("command repeated")
            return
        late = message.command_id <= state.forgotten_command
        if late and not isinstance(message, m.HoldStage):
            refuse(draft, message, "too_old", "sent before the newest 128 commands; send it anew")
            return
    handler(draft, message)
    if isinstance(message, m.ResumeWorkflow) and draft.answer is not None and draft.answer.ok:
        for parked in state.parked if state is not None else ():
            apply(draft, unpark(draft.context.workflow_id, parked))


def apply(draft: Draft, message: Any) -> None:
    """Apply a result, a timer or a lost lease to the newest state of the draft."""
    if draft.state is None:
        draft.ignore("the workflow does not exist")
    elif draft.state.status.terminal:
        draft.ignore(f"the workflow is {draft.state.status}")
    elif (remark := _unawaited(draft, message)) is not None:
        draft.ignore(remark)
    elif draft.state.paused is not None and not _is_deadline(message):
        park(draft, message)
    else:
        _MESSAGES[type(message)](draft, message)


def _unawaited(draft: Draft, message: Any) -> str | None:
    """Say why the message concerns nothing that the workflow waits for; None when it does."""
    if isinstance(message, m.TimerFired):
        due = timer_ids(draft.current).get(message.timer_id)
        awaited = due is not None and due <= draft.context.now_ms
        return None if awaited else f"timer {message.timer_id} is not awaited"
    task: TaskId = message.task
    if awaited_task(draft.current, task) is not None:
        return None
    if isinstance(message, m.Result) and quarantined(draft.current, task):
        return None
    return f"nothing waits for {task.stage} visit {task.visit} attempt {task.attempt}"


def _is_deadline(message: Any) -> bool:
    return isinstance(message, m.TimerFired) and message.timer_id == DEADLINE


DEADLINE = "deadline"


def awaited_task(state: WorkflowState, task: TaskId) -> TaskWait | None:
    """Return the wait that this very dispatch would end, None for a stale or unknown one."""
    wait = state.awaiting.get(task.stage)
    if isinstance(wait, TaskWait) and (wait.visit, wait.attempt) == (task.visit, task.attempt):
        return wait
    return None


def quarantined(state: WorkflowState, task: TaskId) -> bool:
    """Whether the stage is held because this very task's message could not be applied."""
    wait, record = state.awaiting.get(task.stage), state.stages.get(task.stage)
    if not isinstance(wait, HeldWait) or wait.outcome != QUARANTINED or record is None:
        return False
    return (record.visit, record.attempt) == (task.visit, task.attempt)


def _result(draft: Draft, message: m.Result) -> None:
    task = message.task
    if message.violations:
        _violated(draft, task, message.violations, message.usage)
    elif message.success:
        _succeeded(draft, message)
    else:
        _failed(draft, task, message.errors, d.FAILED, message.usage)


def _succeeded(draft: Draft, message: m.Result) -> None:
    task, outcome = message.task, message.outcome
    if outcome is not None and not _routed(draft, task.stage, outcome):
        _violated(draft, task, (_unrouted(draft, task.stage, outcome),), message.usage)
        return
    key, errors = output_key(task.stage, task.visit), tuple[Problem, ...]()
    draft.offer(key, message.output)
    if outcome is None:
        outcome, errors = _by_rules(draft, task.stage, key)
    complete(
        draft,
        task.stage,
        outcome,
        attempt=task.attempt,
        output=key,
        errors=errors or message.errors,
        usage=message.usage,
    )


def _by_rules(draft: Draft, stage: str, key: str) -> tuple[str, tuple[Problem, ...]]:
    if not draft.plan_of(stage).rules:
        return d.OK, ()
    outcome, errors = ruled_outcome(draft, stage, draft.context.outputs.value(key))
    return outcome or d.OK, errors


def _routed(draft: Draft, stage: str, outcome: str) -> bool:
    region = draft.context.plan.regions[draft.plan_of(stage).region]
    return outcome in d.FAILURES or region.machine.step(stage, outcome) is not None


def _unrouted(draft: Draft, stage: str, outcome: str) -> Problem:
    known = ", ".join(sorted({d.OK, *draft.plan_of(stage).stage.on}))
    return {
        "type": "contract_violation",
        "path": "outcome",
        "message": f"outcome {outcome!r} has no route from {stage}; it has {known}",
    }


def _violated(
    draft: Draft, task: TaskId, violations: tuple[Problem, ...], usage: Mapping[str, Any]
) -> None:
    """Send the work back with what was wrong, as often as `repairs` allows."""
    record, plan = draft.record_of(task.stage), draft.plan_of(task.stage)
    if not isinstance(plan.stage, d.AgentStage) or record.repairs >= plan.stage.repairs:
        complete(
            draft,
            task.stage,
            d.INVALID,
            attempt=task.attempt,
            errors=violations,
            usage=usage,
        )
        return
    draft.emit(ev.ValidationFailed(task.stage, task.visit, task.attempt, violations, usage))
    assign(draft, plan, task.visit, task.attempt + 1, record.source, repair=violations)


def _failed(
    draft: Draft,
    task: TaskId,
    errors: tuple[Problem, ...],
    outcome: str,
    usage: Mapping[str, Any],
) -> None:
    """Try again after a drawn delay, unless the tries are used up or the error is final."""
    types = {str(error.get("type", "")) for error in errors}
    if "contract_violation" in types:
        _violated(draft, task, errors, usage)
        return
    stage = draft.plan_of(task.stage).stage
    record = draft.record_of(task.stage)
    if not isinstance(stage, d.AgentStage):
        msg = f"{task.stage} has no agent"
        raise TypeError(msg)
    retry = stage.retry
    final = any(error.get("final") for error in errors) or not types.isdisjoint(retry.not_on)
    if "input_invalid" in types:
        final, outcome = True, d.INVALID
    if final or record.failures + 1 >= retry.attempts:
        complete(draft, task.stage, outcome, attempt=task.attempt, errors=errors, usage=usage)
        return
    at_ms = draft.context.now_ms + round(
        backoff_s(retry, record.failures, draft.context.jitter) * _MS
    )
    draft.emit(ev.TaskFailed(task.stage, task.visit, task.attempt, errors, at_ms, usage))
    if at_ms <= draft.context.now_ms:
        _retry_due(draft, task.stage)


def backoff_s(retry: d.Retry, failures: int, jitter: float) -> float:
    """Return the delay after `failures` earlier failures: full jitter under an exponential cap."""
    return float(jitter * min(retry.max_delay_s, retry.delay_s * retry.factor**failures))


def _expired(draft: Draft, message: m.TaskExpired) -> None:
    task = message.task
    stage = draft.plan_of(task.stage).stage
    if message.timed_out:
        allowed = getattr(stage, "timeout_s", 0)
        error = {"type": "timeout", "message": f"took longer than {allowed:g} s"}
        _failed(draft, task, (error,), d.TIMEOUT, {})
    else:
        error = {"type": "agent_lost", "message": "its agent was lost three times"}
        _failed(draft, task, (error,), d.FAILED, {})


_TIMED = (TimerWait, SignalWait, ApprovalWait)


def timer_ids(state: WorkflowState) -> dict[str, int]:
    """Return the timers that the state calls for: id to due instant (ms)."""
    timers: dict[str, int] = {}
    if state.status.terminal:
        return timers
    if state.deadline_at_ms is not None:
        timers[DEADLINE] = state.deadline_at_ms
    for stage, wait in state.awaiting.items():
        if isinstance(wait, RetryWait):
            timers[f"retry/{stage}/{wait.visit}/{wait.attempt}"] = wait.at_ms
        elif isinstance(wait, _TIMED) and wait.at_ms is not None:
            timers[f"{wait.kind}/{stage}/{wait.visit}"] = wait.at_ms
    return timers


def _timer(draft: Draft, message: m.TimerFired) -> None:
    if message.timer_id == DEADLINE:
        error = {"type": "deadline", "message": "the workflow's deadline passed"}
        draft.emit(ev.WorkflowFailed("deadline passed", draft.current.current_stage, (error,)))
        return
    kind, stage, *_ = message.timer_id.split("/")
    _TIMERS[kind](draft, stage)


def _retry_due(draft: Draft, stage: str) -> None:
    wait = draft.current.awaiting[stage]
    if isinstance(wait, RetryWait):
        source, plan = draft.record_of(stage).source, draft.plan_of(stage)
        assign(draft, plan, wait.visit, wait.attempt, source, repair=wait.repair)


def _wait_over(draft: Draft, stage: str) -> None:
    complete(draft, stage, d.OK, output=draft.record_of(stage).source or None)


def _too_late(draft: Draft, stage: str) -> None:
    complete(draft, stage, d.TIMEOUT, errors=({"type": "timeout", "message": "nothing came"},))


_TIMERS: dict[str, Callable[[Draft, str], None]] = {
    RetryWait.kind: _retry_due,
    TimerWait.kind: _wait_over,
    SignalWait.kind: _too_late,
    ApprovalWait.kind: _too_late,
}

_MESSAGES: dict[type[Any], Callable[[Draft, Any], None]] = {
    m.Result: _result,
    m.TimerFired: _timer,
    m.TaskExpired: _expired,
}

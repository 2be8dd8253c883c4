"""`evolve`: what each event makes of a workflow's state. Pure, total, and asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stagewright.domain import events as ev
from stagewright.domain.events import Event, StepRecord
from stagewright.domain.records import but
from stagewright.domain.workflow import (
    COMMANDS_KEPT,
    ApprovalWait,
    Awaiting,
    Ending,
    GroupWait,
    HeldWait,
    KeptSignal,
    Pause,
    RetryWait,
    SignalWait,
    StageRecord,
    Status,
    TaskWait,
    TimerWait,
    Vote,
    WorkflowState,
    sentence,
)

NOTHING = StageRecord()


def replay(workflow_id: str, log: Iterable[StepRecord]) -> WorkflowState | None:
    """Fold a whole log; None for an empty one."""
    state: WorkflowState | None = None
    for step in log:
        state = apply_step(workflow_id, state, step)
    return state


def apply_step(workflow_id: str, state: WorkflowState | None, step: StepRecord) -> WorkflowState:
    """Apply one logged step."""
    for event in step.events:
        state = evolve(workflow_id, state, event, step.n, step.at_ms)
    if state is None:
        msg = f"log of {workflow_id} does not begin with WORKFLOW_CREATED"
        raise ValueError(msg)
    return seal(state, step)


def seal(state: WorkflowState, step: StepRecord) -> WorkflowState:
    """Stamp the state with the step that led to it, and with the answer it gave."""
    answers, forgotten = state.answers, state.forgotten_command
    if step.answer is not None:
        answers = (*answers, step.answer)
        if len(answers) > COMMANDS_KEPT:
            # The newest id that goes, so that an old command that comes late is not taken for new.
            forgotten = max(forgotten, answers[0].command_id)
            answers = answers[1:]
    return but(
        state,
        step=step.n,
        step_id=step.id,
        updated_at_ms=step.at_ms,
        status=_status(state),
        answers=answers,
        forgotten_command=forgotten,
    )


def evolve(
    workflow_id: str, state: WorkflowState | None, event: Event, step: int, at_ms: int
) -> WorkflowState:
    """Return the state after `event`, which happened in step number `step` at `at_ms`."""
    if isinstance(event, ev.WorkflowCreated):
        return _created(workflow_id, event, at_ms)
    if state is None:
        msg = f"log of {workflow_id} does not begin with WORKFLOW_CREATED"
        raise ValueError(msg)
    return _TABLE[type(event)](state, event, step, at_ms)


_BUSY = (TaskWait, RetryWait)


def _status(state: WorkflowState) -> Status:
    """Running while an agent works or is about to; waiting while only people or time can act."""
    if state.status.terminal:
        return state.status
    if state.paused is not None:
        return Status.PAUSED
    busy = any(isinstance(w, _BUSY) for w in state.awaiting.values())
    return Status.RUNNING if busy else Status.WAITING


def _created(workflow_id: str, event: ev.WorkflowCreated, at_ms: int) -> WorkflowState:
    return WorkflowState(
        workflow_id=workflow_id,
        definition=event.definition,
        name=event.name,
        version=event.version,
        status=Status.RUNNING,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
        priority=event.priority,
        key=event.key,
        body_hash=event.body_hash,
        labels=event.labels,
        deadline_at_ms=event.deadline_at_ms,
        continues=event.continues,
        stages=dict(event.carried),
        title=event.title,
        description=event.description,
    )


def _entered(
    state: WorkflowState, region: str, stage: str, record: StageRecord, wait: Awaiting
) -> WorkflowState:
    return but(
        state,
        stages={**state.stages, stage: record},
        regions={**state.regions, region: stage},
        awaiting={**state.awaiting, stage: wait},
    )


def _new_visit(
    state: WorkflowState, stage: str, visit: int, source: str, at_ms: int
) -> StageRecord:
    old = state.stages.get(stage, NOTHING)
    return StageRecord(
        visit=visit,
        source=source,
        output=old.output,
        errors=old.errors,
        started_at_ms=at_ms,
        previous_step=old.ended_step,
    )


def _task_assigned(
    state: WorkflowState, event: ev.TaskAssigned, _step: int, at_ms: int
) -> WorkflowState:
    record = state.stages.get(event.stage, NOTHING)
    if event.visit != record.visit:
        record = _new_visit(state, event.stage, event.visit, event.source, at_ms)
    if event.fresh:
        record = but(record, failures=0, repairs=0)
    wait = TaskWait(
        event.visit,
        event.attempt,
        at_ms,
        event.lane,
        event.priority,
        event.timeout_s,
        event.repair,
    )
    record = but(record, attempt=event.attempt, outcome=None, ended_at_ms=None)
    return _entered(state, event.region, event.stage, record, wait)


def _stage_complete(
    state: WorkflowState, event: ev.StageComplete, step: int, at_ms: int
) -> WorkflowState:
    record = state.stages.get(event.stage, NOTHING)
    record = but(
        record,
        outcome=event.outcome,
        output=event.output,
        errors=event.errors,
        ended_at_ms=at_ms,
        ended_step=step,
    )
    return but(
        state,
        stages={**state.stages, event.stage: record},
        regions={**state.regions, event.region: event.to},
        awaiting=_without(state.awaiting, (event.stage,)),
    )


def _entry_refused(
    state: WorkflowState, event: ev.EntryRefused, _step: int, at_ms: int
) -> WorkflowState:
    record = _new_visit(state, event.stage, event.visit, event.source, at_ms)
    return but(state, stages={**state.stages, event.stage: record})


def _task_failed(
    state: WorkflowState, event: ev.TaskFailed, _step: int, at_ms: int
) -> WorkflowState:
    record = state.stages[event.stage]
    record = but(record, failures=record.failures + 1, errors=event.errors)
    reason = sentence(event.errors[0]) if event.errors else ""
    old = state.awaiting.get(event.stage)
    repair = old.repair if isinstance(old, TaskWait) else ()
    wait = RetryWait(event.visit, event.attempt + 1, at_ms, event.retry_at_ms, reason, repair)
    return but(
        state,
        stages={**state.stages, event.stage: record},
        awaiting={**state.awaiting, event.stage: wait},
    )


def _validation_failed(
    state: WorkflowState, event: ev.ValidationFailed, _step: int, _at_ms: int
) -> WorkflowState:
    record = state.stages[event.stage]
    record = but(record, repairs=record.repairs + 1, errors=event.errors)
    return but(state, stages={**state.stages, event.stage: record})


def _stage_held(state: WorkflowState, event: ev.StageHeld, _step: int, at_ms: int) -> WorkflowState:
    record = but(state.stages.get(event.stage, NOTHING), errors=event.errors)
    wait = HeldWait(event.visit, at_ms, event.outcome, event.reason)
    return _entered(state, event.region, event.stage, record, wait)


def _group_started(
    state: WorkflowState, event: ev.GroupStarted, _step: int, at_ms: int
) -> WorkflowState:
    record = _new_visit(state, event.stage, event.visit, event.source, at_ms)
    wait = GroupWait(event.visit, at_ms, event.branches)
    return _entered(state, event.region, event.stage, record, wait)


def _branch_ended(
    state: WorkflowState, event: ev.BranchEnded, _step: int, _at_ms: int
) -> WorkflowState:
    group = state.awaiting[event.stage]
    if not isinstance(group, GroupWait):
        msg = f"{event.stage} is not a group that waits"
        raise TypeError(msg)
    group = but(
        group,
        expected=tuple(b for b in group.expected if b != event.branch),
        ended={**group.ended, event.branch: event.end},
    )
    return but(state, awaiting={**state.awaiting, event.stage: group})


def _branches_cancelled(
    state: WorkflowState, event: ev.BranchesCancelled, _step: int, _at_ms: int
) -> WorkflowState:
    awaiting = _without(state.awaiting, event.stages)
    group = awaiting[event.stage]
    if isinstance(group, GroupWait):
        gone = frozenset(event.branches)
        expected = tuple(b for b in group.expected if b not in gone)
        awaiting = {**awaiting, event.stage: but(group, expected=expected)}
    return but(state, awaiting=awaiting)


def _approval_requested(
    state: WorkflowState, event: ev.ApprovalRequested, _step: int, at_ms: int
) -> WorkflowState:
    record = _new_visit(state, event.stage, event.visit, event.source, at_ms)
    wait = ApprovalWait(
        event.visit,
        at_ms,
        event.shown,
        event.shown_hash,
        event.approvers,
        event.required,
        event.at_ms,
    )
    return _entered(state, event.region, event.stage, record, wait)


def _approval_voted(
    state: WorkflowState, event: ev.ApprovalVoted, _step: int, at_ms: int
) -> WorkflowState:
    wait = state.awaiting[event.stage]
    if not isinstance(wait, ApprovalWait):
        msg = f"{event.stage} is not an approval that waits"
        raise TypeError(msg)
    vote = Vote(event.decision, event.by, at_ms, event.comment, event.data)
    wait = but(wait, votes=(*wait.votes, vote))
    return but(state, awaiting={**state.awaiting, event.stage: wait})


def _wait_started(
    state: WorkflowState, event: ev.WaitStarted, _step: int, at_ms: int
) -> WorkflowState:
    record = _new_visit(state, event.stage, event.visit, event.source, at_ms)
    wait: Awaiting
    if event.signal is not None:
        wait = SignalWait(event.visit, at_ms, event.signal, event.at_ms)
    else:
        wait = TimerWait(event.visit, at_ms, at_ms if event.at_ms is None else event.at_ms)
    return _entered(state, event.region, event.stage, record, wait)


def _signal_received(
    state: WorkflowState, event: ev.SignalReceived, _step: int, _at_ms: int
) -> WorkflowState:
    if not event.kept:
        return state
    return but(state, signals=(*state.signals, KeptSignal(event.name, event.payload)))


def _signal_taken(
    state: WorkflowState, event: ev.SignalTaken, _step: int, _at_ms: int
) -> WorkflowState:
    return but(state, signals=tuple(s for s in state.signals if s.payload != event.payload))


def _parked(
    state: WorkflowState, event: ev.MessageParked, _step: int, _at_ms: int
) -> WorkflowState:
    return but(state, parked=(*state.parked, event.parked))


def _paused(
    state: WorkflowState, event: ev.WorkflowPaused, _step: int, at_ms: int
) -> WorkflowState:
    return but(state, paused=Pause(event.by, at_ms, event.reason))


def _resumed(
    state: WorkflowState, _event: ev.WorkflowResumed, _step: int, _at_ms: int
) -> WorkflowState:
    return but(state, paused=None, parked=())


def _end(state: WorkflowState, status: Status, ending: Ending, at_ms: int) -> WorkflowState:
    return but(
        state,
        status=status,
        ending=ending,
        finished_at_ms=at_ms,
        awaiting={},
        signals=(),
        paused=None,
        parked=(),
    )


def _completed(
    state: WorkflowState, event: ev.WorkflowCompleted, _step: int, at_ms: int
) -> WorkflowState:
    return _end(state, Status.COMPLETED, Ending("completed", output=event.output), at_ms)


def _failed(
    state: WorkflowState, event: ev.WorkflowFailed, _step: int, at_ms: int
) -> WorkflowState:
    ending = Ending(event.reason, stage=event.stage, errors=event.errors)
    return _end(state, Status.FAILED, ending, at_ms)


def _cancelled(
    state: WorkflowState, event: ev.WorkflowCancelled, _step: int, at_ms: int
) -> WorkflowState:
    return _end(state, Status.CANCELLED, Ending(event.reason or "cancelled", by=event.by), at_ms)


def _without(awaiting: Mapping[str, Awaiting], stages: Iterable[str]) -> dict[str, Awaiting]:
    rest = dict(awaiting)
    for stage in stages:
        rest.pop(stage, None)
    return rest


_Handler = Callable[[WorkflowState, Any, int, int], WorkflowState]

_TABLE: dict[type[Any], _Handler] = {
    ev.TaskAssigned: _task_assigned,
    ev.StageComplete: _stage_complete,
    ev.EntryRefused: _entry_refused,
    ev.TaskFailed: _task_failed,
    ev.ValidationFailed: _validation_failed,
    ev.StageHeld: _stage_held,
    ev.GroupStarted: _group_started,
    ev.BranchEnded: _branch_ended,
    ev.BranchesCancelled: _branches_cancelled,
    ev.ApprovalRequested: _approval_requested,
    ev.ApprovalVoted: _approval_voted,
    ev.WaitStarted: _wait_started,
    ev.SignalReceived: _signal_received,
    ev.SignalTaken: _signal_taken,
    ev.MessageParked: _parked,
    ev.WorkflowPaused: _paused,
    ev.WorkflowResumed: _resumed,
    ev.WorkflowCompleted: _completed,
    ev.WorkflowFailed: _failed,
    ev.WorkflowCancelled: _cancelled,
}

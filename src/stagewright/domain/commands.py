"""What people and services tell a workflow. All are answered; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import orjson

from stagewright.domain import definition as d
from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.draft import Draft
from stagewright.domain.ids import output_key
from stagewright.domain.plan import ROOT
from stagewright.domain.schemas import compile_schema
from stagewright.domain.stages import assign, complete, enter
from stagewright.domain.workflow import (
    INPUT_KEY,
    QUARANTINED,
    SIGNALS_KEPT,
    Answer,
    ApprovalWait,
    GroupWait,
    HeldWait,
    RetryWait,
    SignalWait,
    Vote,
)

_MS = 1_000
ANYONE = "*"
GROUP = "group:"


def accept(draft: Draft, message: Any, detail: str = "") -> None:
    """Answer yes."""
    draft.answer = Answer(message.command_id, ok=True, detail=detail)


def refuse(draft: Draft, message: Any, code: str, detail: str) -> None:
    """Answer no, with a code for programs and a sentence for people."""
    draft.answer = Answer(message.command_id, ok=False, code=code, detail=detail)
    draft.ignore(detail)


def _alive(handler: Callable[[Draft, Any], None]) -> Callable[[Draft, Any], None]:
    """Refuse commands to workflows that do not exist or have ended."""

    def guarded(draft: Draft, message: Any) -> None:
        if draft.state is None:
            refuse(draft, message, "not_found", "it does not exist")
        elif draft.state.status.terminal:
            refuse(draft, message, "ended", f"it has ended: {draft.state.status}")
        else:
            handler(draft, message)

    return guarded


def _start(draft: Draft, message: m.Start) -> None:
    state, plan = draft.state, draft.context.plan
    if state is not None:
        if state.body_hash == message.body_hash:
            draft.answer = Answer(message.command_id, ok=True, code="repeated")
            draft.ignore("started before with the same body")
        else:
            refuse(draft, message, "conflict", "this key was used with another body")
        return
    first = message.from_stage or plan.regions[ROOT].machine.start
    if first not in plan.stages or plan.stages[first].region != ROOT:
        refuse(draft, message, "unknown_stage", f"{first!r} is not a stage to start from")
        return
    draft.store(INPUT_KEY, message.input)
    for key, body in message.carried_outputs.items():
        draft.store(key, body)
    draft.emit(_created(draft, message))
    enter(draft, first, _source_of(message, first))
    accept(draft, message)


def _source_of(message: m.Start, first: str) -> str:
    """A successor's first stage is given what it was given before, unless the input is new."""
    record = message.carried.get(first)
    return INPUT_KEY if record is None else record.source


def _created(draft: Draft, message: m.Start) -> ev.WorkflowCreated:
    definition = draft.context.plan.definition
    deadline_s = message.deadline_s or definition.deadline_s
    return ev.WorkflowCreated(
        definition=draft.context.plan.hash,
        name=definition.name,
        version=definition.version,
        priority=definition.priority if message.priority is None else message.priority,
        body_hash=message.body_hash,
        key=message.key,
        labels={**definition.labels, **message.labels},
        deadline_at_ms=None
        if deadline_s is None
        else draft.context.now_ms + round(deadline_s * _MS),
        continues=message.continues,
        carried=message.carried,
        by=message.by,
        title=message.title,
        description=message.description,
    )


def _signal(draft: Draft, message: m.Signal) -> None:
    state = draft.current
    waiting = next(
        (
            stage
            for stage, wait in sorted(state.awaiting.items())
            if isinstance(wait, SignalWait) and wait.signal == message.name
        ),
        None,
    )
    if state.paused is not None:
        waiting = None
    if waiting is None and len(state.signals) >= SIGNALS_KEPT:
        refuse(draft, message, "full", f"{SIGNALS_KEPT} signals are kept already")
        return
    key = f"signal/{message.command_id}"
    draft.store(key, message.payload)
    draft.emit(ev.SignalReceived(message.name, key, kept=waiting is None))
    if waiting is not None:
        complete(draft, waiting, d.OK, output=key)
    accept(draft, message, "kept" if waiting is None else f"taken by {waiting}")


def _decide(draft: Draft, message: m.Decide) -> None:
    wait = draft.current.awaiting.get(message.stage)
    if not isinstance(wait, ApprovalWait):
        refuse(draft, message, "not_awaited", f"{message.stage} does not wait for an approval")
        return
    problem = _vote_problem(draft, message, wait)
    if problem is not None:
        refuse(draft, message, *problem)
        return
    decision = d.APPROVED if message.approved else d.REJECTED
    draft.emit(
        ev.ApprovalVoted(
            message.stage, wait.visit, decision, message.by, message.comment, message.data
        )
    )
    accept(draft, message, _settle(draft, message.stage))


def _vote_problem(draft: Draft, message: m.Decide, wait: ApprovalWait) -> tuple[str, str] | None:
    """Return why a vote cannot count: code and sentence."""
    if message.visit is not None and message.visit != wait.visit:
        return "stale", f"that decision is about round {message.visit}; this is round {wait.visit}"
    if message.shown_hash is not None and message.shown_hash != wait.shown_hash:
        return "stale", "what is to be approved has changed since; look at it again"
    if {*wait.approvers}.isdisjoint({ANYONE, message.by, *map(_group, message.groups)}):
        return "not_allowed", f"{message.by} is not among {', '.join(wait.approvers)}"
    if any(vote.by == message.by for vote in wait.votes):
        return "already_decided", f"{message.by} has decided already"
    if _deciding(wait) is not None:
        return "already_decided", f"{message.stage} is decided; it goes on when resumed"
    return _form_problem(draft, message)


def _group(name: str) -> str:
    """Approvers name groups as `group:NAME`; whoever decides may say it either way."""
    return name if name.startswith(GROUP) else f"{GROUP}{name}"


def _form_problem(draft: Draft, message: m.Decide) -> tuple[str, str] | None:
    stage = draft.plan_of(message.stage).stage
    if not isinstance(stage, d.ApprovalStage) or stage.form is None or not message.approved:
        return None
    try:
        compile_schema(stage.form).validate(message.data)
    except jsonschema_rs.ValidationError as error:
        path = "/".join(map(str, error.instance_path)) or "data"
        return "invalid", f"{path}: {error.message}"
    return None


def _settle(draft: Draft, stage: str) -> str:
    """End the approval once it is decided; return what is still missing."""
    wait = draft.current.awaiting[stage]
    if not isinstance(wait, ApprovalWait) or draft.current.paused is not None:
        return "recorded; the workflow is paused"
    last = _deciding(wait)
    if last is None:
        return f"{wait.required - len(wait.votes)} more to decide"
    key = output_key(stage, wait.visit)
    draft.offer(key, _encode_vote(wait, last))
    errors = (_rejection(last),) if last.decision == d.REJECTED else ()
    complete(draft, stage, last.decision, output=key, errors=errors)
    return last.decision


def _deciding(wait: ApprovalWait) -> Vote | None:
    """Return the vote that settles the approval: the first rejection, or the last one required."""
    rejected = next((v for v in wait.votes if v.decision == d.REJECTED), None)
    if rejected is not None:
        return rejected
    return wait.votes[wait.required - 1] if len(wait.votes) >= wait.required else None


def _rejection(vote: Vote) -> dict[str, Any]:
    return {"type": "rejected", "message": vote.comment or f"rejected by {vote.by}", "by": vote.by}


def _encode_vote(wait: ApprovalWait, last: Vote) -> bytes:
    body = {
        "decision": last.decision,
        "decided_by": [vote.by for vote in wait.votes],
        "at": last.at_ms,
        "comment": last.comment,
        "data": last.data,
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _pause(draft: Draft, message: m.PauseWorkflow) -> None:
    if draft.current.paused is not None:
        refuse(draft, message, "already", f"it is paused by {draft.current.paused.by} already")
        return
    draft.emit(ev.WorkflowPaused(message.by, message.reason))
    accept(draft, message)


def _resume(draft: Draft, message: m.ResumeWorkflow) -> None:
    if draft.current.paused is None:
        refuse(draft, message, "not_paused", "it is not paused")
        return
    draft.emit(ev.WorkflowResumed(message.by))
    accept(draft, message)
    for stage, wait in sorted(draft.current.awaiting.items()):
        if draft.current.awaiting.get(stage) is not wait:
            continue  # a branch that was no longer needed
        if isinstance(wait, ApprovalWait) and wait.votes:
            _settle(draft, stage)
        elif isinstance(wait, SignalWait):
            _take_kept(draft, stage, wait)


def _take_kept(draft: Draft, stage: str, wait: SignalWait) -> None:
    kept = next((s for s in draft.current.signals if s.name == wait.signal), None)
    if kept is not None:
        draft.emit(ev.SignalTaken(kept.name, kept.payload))
        complete(draft, stage, d.OK, output=kept.payload)


def _cancel(draft: Draft, message: m.CancelWorkflow) -> None:
    draft.emit(ev.WorkflowCancelled(message.by, message.reason))
    accept(draft, message)


def _retry(draft: Draft, message: m.RetryStage) -> None:
    """Dispatch what is held (or waits for its next attempt) now."""
    waits = draft.current.awaiting
    ready = [
        stage
        for stage, wait in sorted(waits.items())
        if isinstance(wait, HeldWait | RetryWait) and message.stage in (None, stage)
    ]
    if not ready:
        refuse(draft, message, "not_held", "no stage is held or waits for its next attempt")
        return
    for stage in ready:
        if draft.current.awaiting.get(stage) is waits[stage]:  # else its branch was not needed
            _dispatch_again(draft, stage)
    accept(draft, message, f"dispatched again: {', '.join(ready)}")


def _dispatch_again(draft: Draft, stage: str) -> None:
    plan, record = draft.plan_of(stage), draft.record_of(stage)
    if isinstance(plan.stage, d.AgentStage) and record.visit > 0:
        attempt = record.attempt + 1
        assign(draft, plan, record.visit, attempt, record.source, fresh=True)
    else:
        enter(draft, stage, record.source, insisted=True)


def _hold(draft: Draft, message: m.HoldStage) -> None:
    wait = draft.current.awaiting.get(message.stage)
    if wait is None or isinstance(wait, GroupWait | HeldWait):
        refuse(draft, message, "not_awaited", f"{message.stage} has nothing in flight")
        return
    plan = draft.plan_of(message.stage)
    error = {"type": QUARANTINED, "message": message.reason}
    draft.emit(
        ev.StageHeld(
            plan.region,
            message.stage,
            wait.visit,
            QUARANTINED,
            message.reason,
            getattr(wait, "attempt", 0),
            (error,),
        )
    )
    accept(draft, message)


COMMANDS: dict[type[Any], Callable[[Draft, Any], None]] = {
    m.Start: _start,
    m.Signal: _alive(_signal),
    m.Decide: _alive(_decide),
    m.PauseWorkflow: _alive(_pause),
    m.ResumeWorkflow: _alive(_resume),
    m.CancelWorkflow: _alive(_cancel),
    m.RetryStage: _alive(_retry),
    m.HoldStage: _alive(_hold),
}

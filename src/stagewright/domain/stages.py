"""Entering and leaving stages: routes, joins and the ends of regions.

Every function takes the draft and emits what happens. Stages that end at once are entered one after
another, not one inside another, and the number of completions in one decision is bounded: neither a
long chain nor a cycle of exhausted stages can exhaust the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from stagewright.domain import definition as d
from stagewright.domain import events as ev
from stagewright.domain.draft import Draft, content_hash
from stagewright.domain.ids import output_key
from stagewright.domain.inputs import resolve
from stagewright.domain.plan import ROOT, StagePlan
from stagewright.domain.rules import RuleFailed, first_outcome
from stagewright.domain.workflow import (
    SIGNALS_KEPT,
    BranchEnd,
    GroupWait,
    Problem,
    sentence,
)

_MS = 1_000


def enter(draft: Draft, stage: str, source: str, *, insisted: bool = False) -> None:
    """Enter a stage; `source` is the output key that is its input unless it says otherwise.

    Called while another stage is being entered, it leaves the entry to that call's loop. When a
    person insists, `max_visits` is not asked.
    """
    draft.entries.append((stage, source, insisted))
    if draft.entering:
        return
    draft.entering = True
    while draft.entries:
        _enter(draft, *draft.entries.pop())
    draft.entering = False


def _enter(draft: Draft, stage: str, source: str, insisted: bool) -> None:  # noqa: FBT001
    plan, record = draft.plan_of(stage), draft.record_of(stage)
    visit, limit = record.visit + 1, plan.stage.max_visits
    if limit is None or visit <= limit or insisted:
        _ENTER[plan.stage.kind](draft, plan, visit, source)
        return
    draft.emit(ev.EntryRefused(stage, visit, source))
    error = _problem("exhausted", f"entered more than {limit} times")
    complete(draft, stage, d.EXHAUSTED, output=record.output, errors=(error,))


def assign(
    draft: Draft,
    plan: StagePlan,
    visit: int,
    attempt: int,
    source: str,
    *,
    repair: tuple[Problem, ...] = (),
    fresh: bool = False,
) -> None:
    """Dispatch an agent stage."""
    stage = plan.stage
    if not isinstance(stage, d.AgentStage):
        msg = f"{stage.name} is not an agent stage"
        raise TypeError(msg)
    draft.emit(
        ev.TaskAssigned(
            region=plan.region,
            stage=stage.name,
            visit=visit,
            attempt=attempt,
            source=source,
            lane=plan.lane,
            priority=draft.current.priority,
            timeout_s=stage.timeout_s,
            repair=repair,
            fresh=fresh,
        )
    )


def _enter_agent(draft: Draft, plan: StagePlan, visit: int, source: str) -> None:
    assign(draft, plan, visit, 1, source)


def _enter_parallel(draft: Draft, plan: StagePlan, visit: int, source: str) -> None:
    """Start every branch, the first one first; a join decided meanwhile takes the rest back."""
    name = plan.stage.name
    branches = draft.context.plan.branches[name]
    draft.emit(ev.GroupStarted(plan.region, name, visit, source, tuple(branches)))
    starts = [draft.context.plan.regions[region].machine.start for region in branches.values()]
    draft.entries.extend((start, source, False) for start in reversed(starts))


def _enter_approval(draft: Draft, plan: StagePlan, visit: int, source: str) -> None:
    stage = plan.stage
    if not isinstance(stage, d.ApprovalStage):
        msg = f"{stage.name} is not an approval"
        raise TypeError(msg)
    shown = _shown(draft, plan, source)
    key = f"{output_key(stage.name, visit)}/shown"
    draft.store(key, shown)
    draft.emit(
        ev.ApprovalRequested(
            region=plan.region,
            stage=stage.name,
            visit=visit,
            source=source,
            shown=key,
            shown_hash=content_hash(shown),
            approvers=stage.approvers,
            required=stage.required,
            at_ms=_after(draft, stage.timeout_s),
        )
    )


def _shown(draft: Draft, plan: StagePlan, source: str) -> bytes:
    if plan.template is None:
        return draft.context.outputs.raw(source)
    value = resolve(plan.template, draft.current, draft.context.outputs)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _enter_wait(draft: Draft, plan: StagePlan, visit: int, source: str) -> None:
    stage = plan.stage
    if not isinstance(stage, d.WaitStage):
        msg = f"{stage.name} is not a wait"
        raise TypeError(msg)
    if stage.signal is not None:
        _wait_for_signal(draft, plan, stage, visit, source)
        return
    at_ms = _after(draft, stage.for_s)
    if at_ms is None:
        at_ms = _instant(draft, plan)
    draft.emit(ev.WaitStarted(plan.region, stage.name, visit, source, at_ms=at_ms))
    if at_ms is None:
        error = _problem("invalid", f"`until` of {stage.name} is not an RFC 3339 instant")
        complete(draft, stage.name, d.INVALID, errors=(error,))


def _wait_for_signal(
    draft: Draft, plan: StagePlan, stage: d.WaitStage, visit: int, source: str
) -> None:
    at_ms = _after(draft, stage.timeout_s)
    draft.emit(ev.WaitStarted(plan.region, stage.name, visit, source, at_ms, stage.signal))
    kept = next((s for s in draft.current.signals if s.name == stage.signal), None)
    if kept is not None:
        draft.emit(ev.SignalTaken(kept.name, kept.payload))
        complete(draft, stage.name, d.OK, output=kept.payload)


def _after(draft: Draft, delay_s: float | None) -> int | None:
    return None if delay_s is None else draft.context.now_ms + round(delay_s * _MS)


def _instant(draft: Draft, plan: StagePlan) -> int | None:
    if plan.template is None:
        return None
    value = resolve(plan.template, draft.current, draft.context.outputs)
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * _MS)


_ENTER: dict[str, Callable[[Draft, StagePlan, int, str], None]] = {
    "agent": _enter_agent,
    "parallel": _enter_parallel,
    "approval": _enter_approval,
    "wait": _enter_wait,
}


def complete(
    draft: Draft,
    stage: str,
    outcome: str,
    *,
    attempt: int = 0,
    output: str | None = None,
    errors: tuple[Problem, ...] = (),
    usage: Mapping[str, Any] | None = None,
) -> None:
    """End a stage with an outcome and go where the machine says."""
    plan = draft.plan_of(stage)
    visit = draft.record_of(stage).visit
    step = draft.context.plan.regions[plan.region].machine.step(stage, outcome)
    draft.transitions += 1
    if step is None or draft.transitions > 2 * len(draft.context.plan.stages) + SIGNALS_KEPT + 2:
        reason = _reason(outcome, errors) if step is None else "stages exhaust one another"
        draft.emit(
            ev.StageHeld(plan.region, stage, visit, outcome, reason, attempt, errors, usage or {})
        )
        return
    draft.emit(
        ev.StageComplete(
            region=plan.region,
            stage=stage,
            visit=visit,
            outcome=outcome,
            to=step.state,
            attempt=attempt,
            output=output,
            errors=errors,
            usage=usage or {},
        )
    )
    draft.keep(output)
    if step.ended:
        _end_region(draft, plan.region, step.state, stage)
    else:
        enter(draft, step.state, output or "")


def _reason(outcome: str, errors: tuple[Problem, ...]) -> str:
    return sentence(errors[0], outcome) if errors else outcome


def _end_region(draft: Draft, region: str, target: str, last: str) -> None:
    record = draft.record_of(last)
    if region != ROOT:
        plan = draft.context.plan.regions[region]
        end = BranchEnd(d.OK if target == d.COMPLETE else d.FAILED, record.output)
        _end_branch(draft, str(plan.group), str(plan.branch), end)
    elif target == d.COMPLETE:
        draft.emit(ev.WorkflowCompleted(record.output))
    else:
        reason = f"{last} ended as {record.outcome}"
        draft.emit(ev.WorkflowFailed(reason, last, record.errors))


def _end_branch(draft: Draft, group: str, branch: str, end: BranchEnd) -> None:
    """Take the branch out of the expected set and decide the join if that settles it."""
    draft.emit(ev.BranchEnded(group, branch, end))
    wait = draft.current.awaiting[group]
    stage = draft.plan_of(group).stage
    if not isinstance(wait, GroupWait) or not isinstance(stage, d.ParallelStage):
        msg = f"{group} is not a group that waits"
        raise TypeError(msg)
    won = sum(1 for e in wait.ended.values() if e.outcome == d.OK)
    if won >= stage.needed:
        _join(draft, group, wait, holds=True)
    elif won + len(wait.expected) < stage.needed:
        _join(draft, group, wait, holds=False)


def _join(draft: Draft, group: str, wait: GroupWait, *, holds: bool) -> None:
    cancel_branches(draft, group, wait.expected)
    visit = draft.record_of(group).visit
    value = {
        branch: {"outcome": end.outcome, "output": _branch_output(draft, end)}
        for branch, end in sorted(wait.ended.items())
    }
    key = output_key(group, visit)
    draft.offer(key, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    if not holds:
        failed = sorted(b for b, end in wait.ended.items() if end.outcome != d.OK)
        error = _problem("join", f"branches failed: {', '.join(failed)}")
        complete(draft, group, d.FAILED, output=key, errors=(error,))
        return
    outcome, errors = ruled_outcome(draft, group, value)
    complete(draft, group, outcome or d.OK, output=key, errors=errors)


def _branch_output(draft: Draft, end: BranchEnd) -> Any:
    # A big output stays a reference here; whoever needs the body asks for the branch's own output.
    return orjson.loads(draft.context.outputs.raw(end.output))


def cancel_branches(draft: Draft, group: str, branches: tuple[str, ...]) -> None:
    """Stop the stages that are active in branches the join does not need."""
    if not branches:
        return
    regions = draft.context.plan.branches[group]
    members = frozenset[str]().union(
        *(draft.context.plan.regions[regions[branch]].members for branch in branches)
    )
    draft.entries = [entry for entry in draft.entries if entry[0] not in members]
    active = tuple(s for s in draft.current.active_stages if s in members)
    draft.emit(ev.BranchesCancelled(group, branches, active))


def ruled_outcome(draft: Draft, stage: str, output: Any) -> tuple[str | None, tuple[Problem, ...]]:
    """Return the outcome of the first rule that holds; `invalid` with an error if one fails."""
    rules = draft.plan_of(stage).rules
    if not rules:
        return None, ()
    record, given = draft.record_of(stage), _given(draft, stage)
    try:
        return first_outcome(rules, output=output, input=given, visit=record.visit), ()
    except RuleFailed as failure:
        return d.INVALID, (_problem("rule_failed", str(failure)),)


def _given(draft: Draft, stage: str) -> Any:
    """What the stage was given, as its rules see it."""
    template, outputs = draft.plan_of(stage).template, draft.context.outputs
    if template is not None:
        return resolve(template, draft.current, outputs)
    return outputs.value(draft.record_of(stage).source or None)


def _problem(type_: str, message: str) -> Problem:
    return {"type": type_, "message": message}

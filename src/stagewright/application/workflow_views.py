"""Views of workflows, made of what is stored."""

from __future__ import annotations

from typing import Literal

import orjson

from stagewright.application.catalog import Compiled
from stagewright.application.live import Live
from stagewright.domain.effects import waiting_kinds
from stagewright.domain.progress import progress
from stagewright.domain.workflow import INPUT_KEY, Ending, StageRecord, Status, WorkflowState
from stagewright.ports.views import StageView, UsageView, Waiting, WorkflowRow, WorkflowView
from stagewright.ports.workflow_store import Stored


def row_view(state: WorkflowState, compiled: Compiled) -> WorkflowRow:
    """Return a workflow as a row of a list."""
    return WorkflowRow(
        workflow_id=state.workflow_id,
        name=state.name,
        version=state.version,
        status=state.status.value,
        current_stage=state.current_stage,
        progress=progress(compiled.plan, state),
        priority=state.priority,
        key=state.key,
        labels=dict(state.labels),
        waiting=list(waiting_kinds(state)),
        created_at_ms=state.created_at_ms,
        updated_at_ms=state.updated_at_ms,
        title=state.title,
        finished_at_ms=state.finished_at_ms,
    )


def unreadable_row(stored: Stored) -> WorkflowRow:
    """What can be said of a workflow of a newer release, or whose definition is gone."""
    return WorkflowRow(
        workflow_id=stored.workflow_id,
        name="",
        version="",
        status="unreadable",
        current_stage=None,
        progress=0,
        priority=3,
        created_at_ms=0,
        updated_at_ms=0,
    )


def workflow_view(live: Live, waiting: list[Waiting], usage: UsageView) -> WorkflowView:
    """Return a workflow with its stages and their newest outputs."""
    state, ending = live.state, live.state.ending
    return WorkflowView(
        workflow_id=state.workflow_id,
        name=state.name,
        version=state.version,
        definition=state.definition,
        status=state.status.value,
        current_stage=state.current_stage,
        active_stages=list(state.active_stages),
        progress=progress(live.compiled.plan, state),
        priority=state.priority,
        key=state.key,
        labels=dict(state.labels),
        created_at_ms=state.created_at_ms,
        updated_at_ms=state.updated_at_ms,
        finished_at_ms=state.finished_at_ms,
        deadline_at_ms=state.deadline_at_ms,
        continues=state.continues,
        step=state.step,
        stages=[_stage(live, state, name) for name in live.compiled.plan.stages],
        stage_outputs={
            name: orjson.loads(live.outputs.raw(record.output))
            for name, record in sorted(state.stages.items())
            if record.output is not None
        },
        input=orjson.loads(live.outputs.raw(INPUT_KEY)),
        output=None if ending is None else orjson.loads(live.outputs.raw(ending.output)),
        reason=None if ending is None else _why(state.status, ending),
        failed_stage=None if ending is None else ending.stage,
        errors=[dict(error) for error in (ending.errors if ending is not None else ())],
        waiting=waiting,
        title=state.title,
        description=state.description,
        usage=usage,
    )


def _why(status: Status, ending: Ending) -> str | None:
    """A workflow that completed needs no reason; one that was cancelled, also whose it was."""
    if status is Status.COMPLETED:
        return None
    if status is not Status.CANCELLED:
        return ending.reason
    given = f": {ending.reason}" if ending.reason != status else ""
    return f"cancelled by {ending.by}{given}"


_UNTOUCHED = StageRecord()


def _stage(live: Live, state: WorkflowState, name: str) -> StageView:
    record = state.stages.get(name, _UNTOUCHED)
    stage = live.compiled.plan.stages[name].stage
    status: Literal["pending", "active", "ended"] = "pending"
    if name in state.awaiting:
        status = "active"
    elif record.outcome is not None:
        status = "ended"
    return StageView(
        name=name,
        kind=stage.kind,
        status=status,
        outcome=record.outcome,
        visit=record.visit,
        max_visits=stage.max_visits,
        attempt=record.attempt,
        started_at_ms=record.started_at_ms or None,
        ended_at_ms=record.ended_at_ms,
        output_key=record.output,
        errors=[dict(error) for error in record.errors],
    )

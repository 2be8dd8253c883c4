"""What a step asks of the store: tasks, timers and the index entry, all functions of the snapshot.

The effects of a step are the difference between what should be in flight before and after it. The
reconciler asks the same functions, so it can never want something that a step would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stagewright.domain.decide import timer_ids
from stagewright.domain.evolve import NOTHING
from stagewright.domain.ids import TaskId
from stagewright.domain.inputs import stage_input
from stagewright.domain.outputs import Outputs
from stagewright.domain.plan import Plan
from stagewright.domain.records import Record
from stagewright.domain.task_body import encode_task_body
from stagewright.domain.workflow import StageRecord, TaskWait, WorkflowState

FEEDBACK_LIMIT = 32
"""Rounds of feedback that a task carries, the newest."""


class InFlight(Record, frozen=True):
    """What a workflow should have in flight."""

    tasks: Mapping[str, TaskWait]
    """By task id."""
    timers: Mapping[str, int]
    """Timer id to due instant (ms)."""


EMPTY = InFlight({}, {})


def in_flight(state: WorkflowState | None) -> InFlight:
    """Return the tasks and timers that the state calls for."""
    if state is None or state.status.terminal:
        return EMPTY
    tasks = {
        f"{state.workflow_id}/{stage}/{wait.visit}/{wait.attempt}": wait
        for stage, wait in state.awaiting.items()
        if isinstance(wait, TaskWait)
    }
    timers = timer_ids(state)
    for parked in state.parked:
        tasks.pop(parked.ref, None)
        timers.pop(parked.ref, None)
    return InFlight(tasks, timers)


def waiting_kinds(state: WorkflowState) -> tuple[str, ...]:
    """Return the kinds of waiting that the index knows the workflow by."""
    kinds = {wait.kind for wait in state.awaiting.values()}
    if state.paused is not None:
        kinds.add("paused")
    return tuple(sorted(kinds))


def index_changed(before: WorkflowState | None, after: WorkflowState) -> bool:
    """Whether the index must be rewritten: status and waiting are all that changes in it."""
    if before is None or before.status != after.status:
        return True
    if len(before.awaiting) == len(after.awaiting) == 1 and before.paused is after.paused:
        (old,), (new,) = before.awaiting.values(), after.awaiting.values()
        return old.kind != new.kind
    return waiting_kinds(before) != waiting_kinds(after)


def task_body(plan: Plan, state: WorkflowState, outputs: Outputs, task_id: str) -> bytes:
    """Return the JSON that the runner gets; OutputMissing when a big output must be fetched."""
    task = TaskId.parse(task_id)
    stage_plan = plan.stages[task.stage]
    record = state.stages.get(task.stage, NOTHING)
    wait = state.awaiting[task.stage]
    return encode_task_body(
        input_=orjson.Fragment(stage_input(stage_plan.template, state, outputs, record.source)),
        feedback=feedback(state, outputs, task.stage) if record.previous_step else (),
        contract=stage_plan.contract,
        definition=f"{state.name}@{state.version}",
        repair=wait.repair if isinstance(wait, TaskWait) else (),
    )


def feedback(state: WorkflowState, outputs: Outputs, stage: str) -> list[dict[str, Any]]:
    """Return what ended since this stage's visit before: outcomes, errors, outputs, in order."""
    since = state.stages[stage].previous_step
    rounds = sorted(
        (
            (record.ended_step, name, record)
            for name, record in state.stages.items()
            if name != stage and record.ended_step > since
        ),
        key=lambda row: row[:2],
    )
    return [_round(outputs, name, record) for _, name, record in rounds[-FEEDBACK_LIMIT:]]


def _round(outputs: Outputs, name: str, record: StageRecord) -> dict[str, Any]:
    return {
        "stage": name,
        "visit": record.visit,
        "outcome": record.outcome,
        "errors": list(record.errors),
        "output": orjson.loads(outputs.raw(record.output)),
    }

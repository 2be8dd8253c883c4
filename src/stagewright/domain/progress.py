"""How far a workflow is, as a share of the shortest `ok` path."""

from __future__ import annotations

from stagewright.domain.plan import ROOT, Plan
from stagewright.domain.workflow import GroupWait, Status, WorkflowState


def progress(plan: Plan, state: WorkflowState) -> int:
    """Return percent: 100 * (1 - r/n) over the shortest `ok` path; 100 once completed.

    n is the path from the start, r from here. A group counts one, fractionally by its branches. It
    may fall on rework.
    """
    if state.status is Status.COMPLETED:
        return 100
    region = plan.regions[ROOT]
    total = region.remaining[region.machine.start]
    here = _standing(state)
    if here is None:
        return 0
    left = region.remaining[here] - _share_done(state, here)
    return max(0, round(100 * (1 - left / total)))


def _standing(state: WorkflowState) -> str | None:
    """The stage of the workflow's own region, also after it failed or was cancelled there."""
    if state.current_stage is not None:
        return state.current_stage
    return state.ending.stage if state.ending is not None else None


def _share_done(state: WorkflowState, stage: str) -> float:
    group = state.awaiting.get(stage)
    if not isinstance(group, GroupWait):
        return 0.0
    total = len(group.expected) + len(group.ended)
    return len(group.ended) / total if total else 0.0

"""The end of a workflow as an error."""

from __future__ import annotations

from stagewright.domain.errors import WorkflowFailed
from stagewright.domain.workflow import sentence
from stagewright.ports.views import WorkflowView


def failure_of(view: WorkflowView) -> WorkflowFailed:
    """Return the error that stands for a workflow that ended otherwise than by completing."""
    reason = (view.reason or "").removeprefix(f"{view.status} ")
    if view.errors:
        reason = sentence(view.errors[0], reason)
    return WorkflowFailed(
        view.workflow_id, view.status, reason.rstrip("."), stage=view.failed_stage
    )

"""How a workflow's end becomes an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stagewright.domain.errors import WorkflowFailed

if TYPE_CHECKING:
    from stagewright.ports.views import WorkflowView


def raise_unless_completed(view: WorkflowView) -> None:
    """Raise WorkflowFailed for a workflow that ended otherwise than by completing."""
    if view.status != "completed":
        raise WorkflowFailed(view.workflow_id, view.status, view.reason or "")

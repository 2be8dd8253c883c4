"""How a workflow's end becomes an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagewright.ports.views import WorkflowView


def raise_unless_completed(view: WorkflowView) -> None:
    """Raise WorkflowFailed for a workflow that ended otherwise than by completing."""
    if view.status != "completed":
        from stagewright.entrypoints.failure import failure_of

        raise failure_of(view)

"""How a command that is refused is told: which error, in which words, and what to do."""

from __future__ import annotations

from stagewright.domain.errors import (
    AlreadyDecided,
    Conflict,
    Refused,
    ValidationFailed,
    WorkflowNotFound,
    listing,
)
from stagewright.domain.workflow import Answer, ApprovalWait, WorkflowState

_REFUSALS = {
    "conflict": Conflict,
    "already_decided": AlreadyDecided,
    "stale": AlreadyDecided,
    "ended": AlreadyDecided,
    "invalid": ValidationFailed,
}
_REMEDIES = {
    "conflict": "Use another key, or send the body that was sent first.",
    "invalid": "Correct the fields named.",
    "full": "Send the signal again once some are taken.",
    "not_allowed": "Let one of them decide, or name the group that the decision is made for.",
}
"""What to do about a refusal, by its code; the others are explained by the workflow's state."""


def answer_of(answer: Answer | None, workflow_id: str) -> Answer:
    """Return a yes; raise the error that a no stands for."""
    if answer is None:
        raise Refused(f"{workflow_id} gave no answer")
    if answer.ok:
        return answer
    if answer.code == "not_found":
        raise WorkflowNotFound(workflow_id)
    detail = f"Workflow {workflow_id}: {answer.detail}."
    remedy = _REMEDIES.get(answer.code, f"See `stagewright workflow explain {workflow_id}`.")
    raise _REFUSALS.get(answer.code, Refused)(detail, remedy=remedy)


def approval_of(state: WorkflowState) -> str:
    """Return the one stage that waits for an approval."""
    waiting = [s for s, w in sorted(state.awaiting.items()) if isinstance(w, ApprovalWait)]
    if len(waiting) == 1:
        return waiting[0]
    subject = f"Workflow {state.workflow_id}"
    if waiting:
        raise Refused(
            f"{len(waiting)} approvals wait: {listing(waiting)}.",
            subject=subject,
            remedy="Name the stage to decide.",
        )
    if state.status.terminal:
        raise AlreadyDecided(f"it has ended: {state.status}.", subject=subject)
    raise Refused(
        "no approval waits.",
        subject=subject,
        remedy=f"See `stagewright workflow explain {state.workflow_id}`.",
    )

"""Why a workflow waits and what to do about it, in words and buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stagewright.domain.workflow import QUARANTINED, sentence
from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.states import State
from stagewright.ports.views import Waiting, WorkflowView

TERMINAL = frozenset({"completed", "failed", "cancelled"})
_SAID = frozenset({"approval", "signal"})
"""Kinds whose headline says all that their sentence would."""
_MOST = 12
"""Reasons shown at once; a wide group has thousands."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to do: `dialog` names the dialog that asks before it is done."""

    label: str
    dialog: str
    stage: str | None = None
    tone: str = ""
    """`primary`, `danger` or nothing."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why a workflow does not move by itself."""

    state: State
    headline: str
    sentence: str
    owner: str
    stage: str | None
    since_ms: int
    until_ms: int | None = None
    command: str = ""
    buttons: Sequence[Button] = ()
    for_people: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is shown."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, and what can be done."""

    stage: str | None
    headline: str
    problems: Sequence[Problem]
    buttons: Sequence[Button]
    command: str


def reasons_of(view: WorkflowView) -> tuple[list[Reason], int]:
    """Return the reasons worth showing, those for people first, and how many there are."""
    inner = [waiting for waiting in view.waiting if waiting.kind != "group"] or view.waiting
    found = [_reason(view, waiting) for waiting in inner]
    found.sort(key=lambda reason: not reason.for_people)
    return found[:_MOST], len(found)


def _reason(view: WorkflowView, waiting: Waiting) -> Reason:
    headline = _HEADLINES.get(waiting.kind, _plainly)(waiting)
    return Reason(
        state=states.of_waiting(waiting.kind),
        headline=headline,
        sentence="" if waiting.kind in _SAID else _capital(waiting.reason),
        owner=_owner(waiting),
        stage=waiting.stage,
        since_ms=waiting.since_ms,
        until_ms=waiting.until_ms,
        command=waiting.remedy,
        buttons=_BUTTONS.get(waiting.kind, _none)(view, waiting),
        for_people=waiting.kind in states.NEEDS_PEOPLE or _unserved(waiting),
    )


def _owner(waiting: Waiting) -> str:
    people = waiting.detail.get("approvers", ())
    return ", ".join(map(named, people)) if people else waiting.owner


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unserved(waiting: Waiting) -> bool:
    return waiting.kind == "queued" and waiting.detail.get("live_agents") == 0


def _plainly(waiting: Waiting) -> str:
    return f"{states.of_waiting(waiting.kind).word}: {waiting.stage or 'the workflow'}"


def _queued(waiting: Waiting) -> str:
    if _unserved(waiting):
        return f"{waiting.stage} waits for an agent, and none is alive"
    return f"{waiting.stage} is queued, place {(waiting.detail.get('position') or 0) + 1}"


def _approval(waiting: Waiting) -> str:
    detail = waiting.detail
    missing = detail.get("required", 1) - len(detail.get("decided", ()))
    people = ", ".join(map(named, detail.get("approvers", ())))
    times = "a decision" if missing == 1 else f"{missing} decisions"
    return f"{waiting.stage} waits for {times} by {people}"


def named(approver: str) -> str:
    """Return an approver in words: `group:editors` is the group editors, `*` is anyone."""
    if approver == "*":
        return "anyone"
    group = approver.removeprefix("group:")
    return f"the group {group}" if group != approver else approver


_HEADLINES: Mapping[str, Callable[[Waiting], str]] = {
    "leased": lambda w: f"{w.stage} is being worked on",
    "queued": _queued,
    "approval": _approval,
    "signal": lambda w: f"{w.stage} waits for the signal {w.detail.get('signal', '')}",
    "timer": lambda w: f"{w.stage} waits for its time",
    "retry": lambda w: f"{w.stage} failed and is tried again",
    "held": lambda w: f"{w.stage} failed and waits for a person",
    "paused": lambda w: f"Paused by {w.owner}" if w.owner else "Paused",
    "suspended": lambda w: f"{w.stage} is set aside until resume",
    "done": lambda w: f"{w.stage} is done, its result is about to be applied",
    "missing": lambda w: f"The task of {w.stage} is missing",
    "group": lambda w: f"{w.stage} waits for its branches",
}


def _none(_view: WorkflowView, _waiting: Waiting) -> Sequence[Button]:
    return ()


def _approval_buttons(_view: WorkflowView, waiting: Waiting) -> Sequence[Button]:
    return (
        Button("Approve", "approve", waiting.stage, "primary"),
        Button("Reject", "reject", waiting.stage, "danger"),
    )


def _retry_now(_view: WorkflowView, waiting: Waiting) -> Sequence[Button]:
    return (Button("Retry now", "retry", waiting.stage, "primary"),)


_BUTTONS: Mapping[str, Callable[[WorkflowView, Waiting], Sequence[Button]]] = {
    "approval": _approval_buttons,
    "signal": lambda _, w: (Button("Send signal", "signal", w.stage, "primary"),),
    "retry": _retry_now,
    "paused": lambda _, __: (Button("Resume", "resume", None, "primary"),),
}


def failure_of(view: WorkflowView) -> Failure | None:
    """Return what failed: the workflow, or a stage that is held; None when nothing did."""
    held = next((waiting for waiting in view.waiting if waiting.kind == "held"), None)
    if held is not None:
        return _held(view, held)
    if view.status != "failed":
        return None
    return Failure(
        stage=view.failed_stage,
        headline=_naming(view.failed_stage, view.reason or "The workflow failed"),
        problems=problems_of(view.errors),
        buttons=_again(view.failed_stage),
        command=_retry_command(view, view.failed_stage),
    )


def _ended_as(held: Waiting) -> str:
    outcome = str(held.detail.get("outcome", "failed"))
    return "is quarantined" if outcome == QUARANTINED else f"ended as {outcome}"


def _naming(stage: str | None, text: str) -> str:
    """Return a sentence that names the stage once."""
    if stage and text.startswith(f"{stage} "):
        return text
    return f"{stage}: {text}" if stage else _capital(text)


def _held(view: WorkflowView, held: Waiting) -> Failure:
    errors = next((stage.errors for stage in view.stages if stage.name == held.stage), [])
    cancel = Button("Cancel", "cancel", None, "danger")
    retry = Button("Retry in place", "retry", held.stage, "primary")
    return Failure(
        stage=held.stage,
        headline=f"{held.stage} {_ended_as(held)} and waits for a person",
        problems=problems_of(errors) or (Problem("held", held.reason),),
        buttons=(retry, cancel),
        command=held.remedy,
    )


def _again(stage: str | None) -> Sequence[Button]:
    retry = Button("Retry", "retry", stage, "primary")
    return (retry, Button("Redrive from a stage", "redrive"), Button("Edit input", "edit"))


def _retry_command(view: WorkflowView, stage: str | None) -> str:
    from_stage = f" --stage {stage}" if stage else ""
    return f"stagewright workflow retry {view.workflow_id}{from_stage}"


def problems_of(errors: Sequence[Mapping[str, Any]]) -> Sequence[Problem]:
    """Return errors as they are shown."""
    return [Problem(str(error.get("type", "error")), sentence(error)) for error in errors]


def buttons_of(view: WorkflowView) -> Sequence[Button]:
    """Return what can be done to the workflow as a whole."""
    if view.status == "failed":
        return ()
    if view.status in TERMINAL:
        return (Button("Run again from a stage", "redrive"), Button("Edit input", "edit"))
    cancel = Button("Cancel", "cancel", None, "danger")
    if view.status == "paused":
        return (Button("Resume", "resume", None, "primary"), cancel)
    return (Button("Pause", "pause"), cancel)

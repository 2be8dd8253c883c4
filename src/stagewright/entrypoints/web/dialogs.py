"""Dialogs: what is about to happen, what is needed for it, and the same as a command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.web import words
from stagewright.ports.views import Waiting, WorkflowView


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a dialog; `flag` is the option of the command that it fills."""

    name: str
    label: str
    kind: str = "text"
    flag: str = ""
    value: str = ""
    options: Sequence[str] = ()
    required: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class Dialog:
    """What is asked."""

    title: str
    text: str
    action: str
    """Where the form is sent."""
    command: str
    """The command that does the same, without what the fields add."""
    submit: str
    tone: str = "primary"
    inputs: Sequence[Input] = ()
    hidden: Mapping[str, str] | None = None
    wide: bool = False


def dialog_of(kind: str, view: WorkflowView, stage: str | None, speaks_for: str) -> Dialog:
    """Return the dialog of an action; NotFound for one that there is not.

    `speaks_for` is the name of somebody who may decide for others, empty for everybody else.
    """
    build = _DIALOGS.get(kind)
    if build is None:
        raise NotFound("dialog", kind, known=_DIALOGS)
    return build(view, stage, speaks_for)


def _command(view: WorkflowView, *words_: str) -> str:
    verb, *rest = words_
    return shlex.join(["stagewright", "workflow", verb, view.workflow_id, *rest])


def _at(view: WorkflowView, verb: str) -> str:
    return f"/ui/workflows/{view.workflow_id}/{verb}"


_WHY = Input("reason", "Reason", "area", "--reason", help="Kept in the log for whoever asks later.")


def _pause(view: WorkflowView, _stage: str | None, _me: str) -> Dialog:
    return Dialog(
        f"Pause {view.name}?",
        "No new work is handed out. Agents that are at work finish; their results are kept and "
        "applied on resume. Deadlines run on.",
        _at(view, "pause"),
        _command(view, "pause"),
        "Pause",
        inputs=(_WHY,),
    )


def _resume(view: WorkflowView, _stage: str | None, _me: str) -> Dialog:
    return Dialog(
        f"Resume {view.name}?",
        "What came in meanwhile is applied now, and work goes on.",
        _at(view, "resume"),
        _command(view, "resume"),
        "Resume",
    )


def _cancel(view: WorkflowView, _stage: str | None, _me: str) -> Dialog:
    return Dialog(
        f"Cancel {view.name}?",
        "The workflow ends now and for good. Agents that are at work are told to stop, and what "
        "they give is thrown away.",
        _at(view, "cancel"),
        _command(view, "cancel"),
        "Cancel the workflow",
        "danger",
        (_WHY,),
    )


def _retry(view: WorkflowView, stage: str | None, _me: str) -> Dialog:
    ended = view.status in {"completed", "failed", "cancelled"}
    text = (
        "A new workflow starts that continues this one; what was finished is not done again."
        if ended
        else "The stage is tried again at once, and its counts begin anew."
    )
    what = stage or "it"
    more = ("--stage", stage) if stage else ()
    hidden = {"stage": stage} if stage else {}
    command = _command(view, "retry", *more)
    return Dialog(f"Retry {what}?", text, _at(view, "retry"), command, "Retry", hidden=hidden)


def _redrive(view: WorkflowView, stage: str | None, _me: str) -> Dialog:
    reached = [one.name for one in view.stages if one.visit]
    chosen = stage or view.failed_stage or (reached[-1] if reached else "")
    pick = Input("stage", "Begin with", "select", "--stage", chosen, reached or [chosen])
    return Dialog(
        f"Run {view.name} again from a stage?",
        "A new workflow starts that continues this one: outputs of the stages before come along, "
        "the chosen stage and what follows is done again.",
        _at(view, "retry"),
        _command(view, "retry"),
        "Run from there",
        inputs=(pick,),
    )


def _edit(view: WorkflowView, _stage: str | None, _me: str) -> Dialog:
    body = Input("data", "Input", "json", "--input", words.pretty(view.input), required=True)
    return Dialog(
        f"Run {view.name} with another input?",
        "A new workflow starts from the first stage with the input below; nothing that was "
        "finished comes along, because it rested on the old one.",
        _at(view, "retry"),
        _command(view, "retry"),
        "Run with this input",
        inputs=(body,),
        wide=True,
    )


def _signal(view: WorkflowView, stage: str | None, _me: str) -> Dialog:
    waiting = _waiting(view, "signal", stage)
    name = str(waiting.detail.get("signal", "")) if waiting else ""
    data = Input("data", "Data", "json", "--data", help="JSON; may be left empty.")
    called = () if name else (Input("name", "Signal", required=True),)
    return Dialog(
        f"Send {name or 'a signal'}",
        "The stage that waits for it goes on with the data as its output.",
        _at(view, "signal"),
        _command(view, "signal", *([name] if name else [])),
        "Send",
        inputs=(*called, data),
        hidden={"name": name} if name else {},
    )


def _approve(view: WorkflowView, stage: str | None, me: str) -> Dialog:
    return _decision(view, stage, "approve", "Approve", me)


def _reject(view: WorkflowView, stage: str | None, me: str) -> Dialog:
    return _decision(view, stage, "reject", "Reject", me)


def _decision(view: WorkflowView, stage: str | None, verb: str, word: str, me: str) -> Dialog:
    waiting = _waiting(view, "approval", stage)
    detail = waiting.detail if waiting else {}
    name = (waiting.stage if waiting else stage) or ""
    hidden = {
        "stage": name,
        "visit": str(detail.get("visit", "")),
        "shown_hash": str(detail.get("shown_hash", "")),
    }
    comment = Input("reason", "Comment", "area", "--comment", help="Everybody can read it.")
    people = deciders(detail.get("approvers", ()), me) if me else ()
    missing = int(detail.get("required", 1)) - len(detail.get("decided", ()))
    more = "" if missing <= 1 else f" {missing} decisions are still needed."
    return Dialog(
        f"{word} {name}?",
        f"The decision is for this round and for exactly what is shown now.{more}",
        f"/ui/approvals/{view.workflow_id}/{verb}",
        _command(view, verb, "--stage", name),
        word,
        "danger" if verb == "reject" else "primary",
        (*people, comment),
        hidden,
    )


def deciders(approvers: Sequence[str], own_name: str = "") -> Sequence[Input]:
    """Return the fields that say for whom somebody decides who may speak for others."""
    names = [one for one in approvers if not one.startswith("group:") and one != "*"]
    groups = [one.removeprefix("group:") for one in approvers if one.startswith("group:")]
    who = Input(
        "by", "Decide as", flag="--as", value=names[0] if names else own_name, required=True
    )
    if not groups:
        return (who,)
    return (who, Input("group", "For the group", "select", "--group", groups[0], ["", *groups]))


def _waiting(view: WorkflowView, kind: str, stage: str | None) -> Waiting | None:
    found = (w for w in view.waiting if w.kind == kind and stage in {None, "", w.stage})
    return next(found, None)


_DIALOGS: Mapping[str, Callable[[WorkflowView, str | None, str], Dialog]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "retry": _retry,
    "redrive": _redrive,
    "edit": _edit,
    "signal": _signal,
    "approve": _approve,
    "reject": _reject,
}

"""A workflow's log as lines: what happened, and what agents noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.domain.workflow import sentence
from stagewright.entrypoints.web import states, words

Event = Mapping[str, Any]
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    at_ms: int
    title: str
    icon: str
    tone: str
    stage: str = ""
    detail: str = ""
    step: int | None = None
    attempt: str = ""
    """`round 2, attempt 1` where it is not the first of both."""


def lines_of(steps: Iterable[Event], notes: Iterable[Event] = ()) -> list[Line]:
    """Return events and notes in the order of time."""
    lines = [
        _line(event, int(step.get("at_ms", 0)), int(step.get("n", 0)))
        for step in steps
        for event in step.get("events", ())
    ]
    lines += note_lines(notes)
    return sorted(lines, key=lambda line: line.at_ms)


def note_lines(notes: Iterable[Event]) -> list[Line]:
    """Return what agents noted."""
    return [_note(note) for note in notes]


def _line(event: Event, at_ms: int, step: int) -> Line:
    kind = str(event.get("type", "?"))
    icon, tone = _looks(kind, event)
    return Line(
        at_ms,
        words.title(kind),
        icon,
        tone,
        str(event.get("stage") or ""),
        _cut(_DETAILS.get(kind, _nothing)(event)),
        step,
        _place(event),
    )


def _looks(kind: str, event: Event) -> tuple[str, str]:
    if kind == "STAGE_COMPLETE":
        state = states.of_outcome(str(event.get("outcome", "")))
        return state.icon, state.tone
    return _ICONS.get(kind, ("dot", "mute"))


_ICONS = {
    "WORKFLOW_CREATED": ("start", "busy"),
    "TASK_ASSIGNED": ("queued", "mute"),
    "TASK_FAILED": ("retry", "bad"),
    "VALIDATION_FAILED": ("invalid", "bad"),
    "ENTRY_REFUSED": ("failed", "bad"),
    "STAGE_HELD": ("held", "bad"),
    "GROUP_STARTED": ("branches", "busy"),
    "BRANCH_ENDED": ("branches", "mute"),
    "APPROVAL_REQUESTED": ("approval", "ask"),
    "APPROVAL_VOTED": ("approval", "busy"),
    "WAIT_STARTED": ("timer", "wait"),
    "SIGNAL_RECEIVED": ("signal", "busy"),
    "WORKFLOW_PAUSED": ("paused", "ask"),
    "WORKFLOW_RESUMED": ("start", "busy"),
    "WORKFLOW_COMPLETED": ("completed", "good"),
    "WORKFLOW_FAILED": ("failed", "bad"),
    "WORKFLOW_CANCELLED": ("cancelled", "mute"),
}


def _place(event: Event) -> str:
    visit, attempt = event.get("visit", 1), event.get("attempt", 0)
    parts = [f"round {visit}"] if visit > 1 else []
    if attempt > 1:
        parts.append(f"attempt {attempt}")
    return ", ".join(parts)


def _nothing(_: Event) -> str:
    return ""


def _errors(event: Event) -> str:
    return "; ".join(sentence(error) for error in event.get("errors", ())[:3])


def _complete(event: Event) -> str:
    route = f"{event.get('outcome', '')} → {event.get('to', '')}"
    said = _errors(event)
    return f"{route} · {said}" if said else route


def _by(event: Event) -> str:
    why = event.get("reason") or event.get("comment") or ""
    return f"by {event.get('by', '?')}" + (f": {why}" if why else "")


_DETAILS: Mapping[str, Callable[[Event], str]] = {
    "WORKFLOW_CREATED": lambda e: f"{e.get('name')} {e.get('version')}",
    "TASK_ASSIGNED": lambda e: f"to {e.get('lane', '')}",
    "STAGE_COMPLETE": _complete,
    "TASK_FAILED": _errors,
    "VALIDATION_FAILED": _errors,
    "STAGE_HELD": lambda e: str(e.get("reason", "")),
    "GROUP_STARTED": lambda e: words.count(len(e.get("branches", ())), "branch", "branches"),
    "BRANCH_ENDED": lambda e: f"{e.get('branch')}: {(e.get('end') or {}).get('outcome', '')}",
    "BRANCHES_CANCELLED": lambda e: ", ".join(e.get("branches", ())),
    "APPROVAL_REQUESTED": lambda e: f"from {', '.join(e.get('approvers', ()))}",
    "APPROVAL_VOTED": lambda e: f"{e.get('decision')} {_by(e)}",
    "WAIT_STARTED": lambda e: f"for {e['signal']}" if e.get("signal") else "for its time",
    "SIGNAL_RECEIVED": lambda e: f"{e.get('name')}" + (", kept" if e.get("kept") else ""),
    "SIGNAL_TAKEN": lambda e: str(e.get("name", "")),
    "WORKFLOW_PAUSED": _by,
    "WORKFLOW_RESUMED": _by,
    "WORKFLOW_CANCELLED": _by,
    "WORKFLOW_FAILED": lambda e: str(e.get("reason", "")),
}


def _note(note: Event) -> Line:
    kind = str(note.get("kind", "note"))
    icon, tone = {"log": ("log", "mute"), "artifact": ("artifact", "busy")}.get(
        kind, ("tool", "mute")
    )
    level = str(note.get("level", ""))
    bad = level in {"error", "critical", "warning"}
    return Line(
        int(note.get("at_ms", 0)),
        level if kind == "log" and level else words.title(kind),
        icon,
        "bad" if bad else tone,
        str(note.get("stage", "")),
        _cut(_note_text(kind, note)),
        None,
        _place(note),
    )


def _note_text(kind: str, note: Event) -> str:
    if kind == "log":
        fields = note.get("fields") or {}
        said = str(note.get("message", ""))
        return f"{said}  {_pairs(fields)}" if fields else said
    if kind == "artifact" and isinstance(note.get("bytes"), int):
        return f"{note.get('name')}, {words.size(note['bytes'])}"
    told = {name: value for name, value in note.items() if name not in _TASK_FACTS}
    name = str(told.pop("name", ""))
    if set(told) <= {"arguments", "result"}:
        return f"{name} {_brief(next(iter(told.values()), ''))}".strip()
    return f"{name}  {_pairs(told)}".strip()


_TASK_FACTS = frozenset(
    {"kind", "task", "stage", "visit", "attempt", "number", "at_ms", "level", "call"}
)


def _pairs(fields: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={_brief(value)}" for name, value in fields.items())


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def newest(lines: Sequence[Line], limit: int) -> Sequence[Line]:
    """Return the last `limit` lines."""
    return lines[-limit:]

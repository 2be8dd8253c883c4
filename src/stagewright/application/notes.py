"""What an agent tells while it works, as JSON: notes to keep, deltas to show."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from stagewright.domain.bounded_json import canonical
from stagewright.domain.errors import ValidationFailed
from stagewright.domain.ids import TaskId

Kind = Literal["log", "tool_call", "tool_result", "artifact", "truncated"]

MAX_TEXT = 8_000
"""Characters of one text in a note; what is longer is cut."""
MAX_VALUE_BYTES = 8_192
"""Of a tool's arguments or result, or of a log line's fields; what is bigger is only measured."""


def note(kind: Kind, task: TaskId, at_ms: int, number: int, **facts: Any) -> bytes:
    """Return `{"kind", "task", "stage", "visit", "attempt", "number", "at_ms", ...facts}`."""
    return canonical(
        {
            "kind": kind,
            "task": str(task),
            "stage": task.stage,
            "visit": task.visit,
            "attempt": task.attempt,
            "number": number,
            "at_ms": at_ms,
            **facts,
        }
    )


def delta(task: TaskId, number: int, text: str) -> bytes:
    """Return `{"kind": "delta", "task", "stage", "number", "text"}`."""
    return orjson.dumps(
        {
            "kind": "delta",
            "task": str(task),
            "stage": task.stage,
            "number": number,
            "text": printable(text),
        }
    )


def cut(text: str) -> str:
    """Shorten a text, and say so."""
    text = printable(text)
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}... ({len(text)} characters)"


def printable(text: str) -> str:
    """Replace lone surrogates, which JSON cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def bounded(value: Any) -> Any:
    """Return a value that fits into a note; what does not is described instead."""
    try:
        size = len(canonical(value, max_depth=16))
    except ValidationFailed:
        return cut(repr(value))
    return value if size <= MAX_VALUE_BYTES else {"omitted_bytes": size}


def note_of_letter(letter_id: str, why: str, by: str, reason: str, at_ms: int) -> bytes:
    """Return the note that a dead letter was discarded, by whom and why."""
    said = f"{by} discarded the dead letter {letter_id}" + (f": {reason}" if reason else "")
    return canonical(
        {
            "kind": "letter_discarded",
            "letter": letter_id,
            "message": cut(said),
            "cause": cut(why),
            "by": cut(by),
            "reason": cut(reason),
            "at_ms": at_ms,
        }
    )

"""What logged steps and notes say in public: one flat, stable object for each event.

An event keeps what people and programs go by; what only `evolve` needs stays in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Public = dict[str, Any]
"""`kind`, `workflow_id`, `step`, `part`, `at_ms`, and what the kind has to say."""

TOLD = frozenset(
    {
        "approvers", "attempt", "branch", "branches", "by", "comment", "continues",
        "deadline_at_ms", "decision", "errors", "kept", "key", "labels", "lane", "outcome",
        "output", "priority", "reason", "repair", "required", "retry_at_ms", "shown_hash", "signal",
        "stage", "stages", "timeout_s", "to", "usage", "version", "visit",
    }
)  # fmt: skip
"""Fields of events that are told under the name they have in the log."""

STATUSES: Mapping[str, str] = {
    "WORKFLOW_CREATED": "running",
    "WORKFLOW_PAUSED": "paused",
    "WORKFLOW_RESUMED": "running",
    "WORKFLOW_COMPLETED": "completed",
    "WORKFLOW_FAILED": "failed",
    "WORKFLOW_CANCELLED": "cancelled",
}
"""The status that an event leaves its workflow in, where the event alone says so."""

ENDINGS = frozenset({"WORKFLOW_COMPLETED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED"})
_PROGRESS = {"WORKFLOW_CREATED": 0, "WORKFLOW_COMPLETED": 100}

NOTES: Mapping[str, str] = {
    "log": "AGENT_LOGGED",
    "tool_call": "TOOL_CALLED",
    "tool_result": "TOOL_RETURNED",
    "artifact": "ARTIFACT_STORED",
    "truncated": "NOTES_TRUNCATED",
}
"""Public kinds of notes. What agents note under another name is `AGENT_NOTED`."""


def events_of(workflow_id: str, record: Mapping[str, Any]) -> list[Public]:
    """Return the events of one logged step in their order; `part` counts them from 1."""
    return [
        {
            "kind": event["type"],
            "workflow_id": workflow_id,
            "step": record["n"],
            "part": part,
            "at_ms": record["at_ms"],
            **_said(event),
        }
        for part, event in enumerate(record.get("events", ()), start=1)
    ]


def note_of(workflow_id: str, record: Mapping[str, Any]) -> Public:
    """Return the event that one note is."""
    kind = NOTES.get(str(record.get("kind")), "AGENT_NOTED")
    facts = {name: value for name, value in record.items() if name not in {"kind", "at_ms"}}
    return {**facts, "kind": kind, "workflow_id": workflow_id, "at_ms": record.get("at_ms", 0)}


def _said(event: Mapping[str, Any]) -> Public:
    kind = event["type"]
    said = {name: value for name, value in event.items() if name in TOLD}
    if kind == "WORKFLOW_CREATED":
        said["definition"] = event["name"]
    elif kind in {"SIGNAL_RECEIVED", "SIGNAL_TAKEN"}:
        said["signal"] = event["name"]
    elif kind == "BRANCH_ENDED":
        said["outcome"] = event["end"].get("outcome")
    if event.get("at_ms") is not None:
        said["until_ms"] = event["at_ms"]
    if kind in STATUSES:
        said["status"] = STATUSES[kind]
    if kind in _PROGRESS:
        said["progress"] = _PROGRESS[kind]
    return said

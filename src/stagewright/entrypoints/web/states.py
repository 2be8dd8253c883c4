"""How states look: a word, a shape and a tone. The shape and the word alone would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "busy", "wait", "ask", "mute"]
"""good: done. bad: failed. busy: somebody works. wait: time or others. ask: people. mute: over."""


@dataclass(frozen=True, slots=True)
class State:
    """What a state is called and how it is drawn; `icon` names a symbol of icons.svg."""

    word: str
    icon: str
    tone: Tone


_STATUS = {
    "running": State("Running", "running", "busy"),
    "waiting": State("Waiting", "waiting", "wait"),
    "paused": State("Paused", "paused", "ask"),
    "completed": State("Completed", "completed", "good"),
    "failed": State("Failed", "failed", "bad"),
    "cancelled": State("Cancelled", "cancelled", "mute"),
    "unreadable": State("Unreadable", "unknown", "bad"),
}
_WAITING = {
    "task": State("Agent", "running", "busy"),
    "leased": State("Working", "running", "busy"),
    "queued": State("Queued", "queued", "wait"),
    "suspended": State("Set aside", "paused", "wait"),
    "done": State("Result to apply", "running", "busy"),
    "missing": State("Task missing", "unknown", "bad"),
    "retry": State("Retries", "retry", "wait"),
    "timer": State("Timer", "timer", "wait"),
    "signal": State("Signal", "signal", "ask"),
    "approval": State("Approval", "approval", "ask"),
    "held": State("Held", "held", "bad"),
    "paused": State("Paused", "paused", "ask"),
    "group": State("Branches", "branches", "busy"),
}
_OUTCOMES = {
    "ok": State("ok", "completed", "good"),
    "approved": State("approved", "completed", "good"),
    "failed": State("failed", "failed", "bad"),
    "invalid": State("invalid", "invalid", "bad"),
    "timeout": State("timeout", "timeout", "bad"),
    "exhausted": State("exhausted", "failed", "bad"),
    "rejected": State("rejected", "rejected", "bad"),
    "cancelled": State("not needed", "cancelled", "mute"),
}
_UNKNOWN = State("Unknown", "unknown", "mute")
PENDING = State("not yet", "pending", "mute")
ACTIVE = State("active", "running", "busy")

STATUSES = ("running", "waiting", "paused", "completed", "failed", "cancelled")
WAITING_KINDS = ("approval", "held", "signal", "paused", "task", "retry", "timer", "group")
NEEDS_PEOPLE = ("approval", "held", "signal", "paused")


def of_status(status: str) -> State:
    """Return how the state of a workflow looks."""
    return _STATUS.get(status, _UNKNOWN)


def of_waiting(kind: str) -> State:
    """Return how a reason for waiting looks."""
    return _WAITING.get(kind, State(kind, "waiting", "wait"))


def of_outcome(outcome: str) -> State:
    """Return how an outcome looks; labels of the definition's own are neither good nor bad."""
    return _OUTCOMES.get(outcome, State(outcome, "label", "wait"))

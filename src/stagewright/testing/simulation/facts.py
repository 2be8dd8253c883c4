"""What must happen sometimes: over a thousand seeds all of it, or the simulation is too tame."""

from __future__ import annotations

from collections import Counter

SOMETIMES = frozenset(
    {
        # what is done to processes, calls, clocks and messages
        "a call came late",
        "a call came twice",
        "a clock was wrong",
        "a dead letter was redriven",
        "a process was started again",
        "a process was told to stop",
        "a result came again, late",
        "a stranger wrote",
        "a task was completed with what cannot be read",
        "fail after a call",
        "fail before a call",
        "kill after a call",
        "kill before a call",
        "stall after a call",
        "stall before a call",
        "the store lost what a step put in flight",
        "time jumped",
        "a message killed whoever read it",
        # what agents do
        "an agent did break",
        "an agent did fail",
        "an agent did fatal",
        "an agent did hang",
        "an agent did slow",
        # what becomes of results and commits
        "a commit lost its race",
        "a commit was fenced",
        "a message became a dead letter",
        "a message changed nothing",
        "a result that lost its races went through the inbox",
        "a result was fenced",
        "something stale was cleared",
        "log result_not_wanted",
        # how what was lost comes back
        "a lost task was put back",
        "a partition was taken over",
        "an owner found that the drain before had not ended",
        "an orchestrator was seen to have ended",
        "an orchestrator was not the first to take a partition",
        "overdue timers were set again",
        "log heartbeat_failed",
        "log hints_not_heard",
        # how stages end, and why attempts fail
        *(f"ended as {outcome}" for outcome in (
            "ok", "good", "bad", "approved", "rejected", "failed", "invalid", "timeout",
            "exhausted",
        )),
        *(f"error {kind}" for kind in (
            "agent_lost", "contract_violation", "deadline", "quarantined", "timeout",
        )),
        # what people do
        "a command was said again",
        "a successor went on",
        "a workflow was forgotten",
        "the same was said twice",
        "refused: AlreadyDecided",
        "refused: Conflict",
        "BRANCHES_CANCELLED",
        "MESSAGE_PARKED",
        "SIGNAL_TAKEN",
        "STAGE_HELD",
        "WORKFLOW_CANCELLED",
        "WORKFLOW_RESUMED",
    }
)  # fmt: skip
SEEDS_FOR_ALL = 1_000
"""So many seeds reach all of it; fewer may not."""


def never(facts: Counter[str]) -> list[str]:
    """Return what never happened, sorted."""
    return sorted(name for name in SOMETIMES if not facts[name])

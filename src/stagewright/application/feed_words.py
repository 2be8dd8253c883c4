"""What streams say of themselves, in words of their own."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from stagewright.application.feed_told import Message

_MISSED = "Events behind your position are no longer there to be told."
_CLOSED = {
    "slow": "You did not keep up. Connect again with the id of this message.",
    "stopping": "The server stops. Connect again with the id of this message, here or elsewhere.",
    "failed": "The server could not go on. Connect again with the id of this message.",
}


def message(event: str, data: dict[str, Any], id_: str | None = None) -> Message:
    """Return a message with its body encoded."""
    return Message(event, orjson.dumps(data), id_)


def gap(reason: str = "", what: str = "events") -> Message:
    """Say that something is missing, and what follows now."""
    return message(
        "gap",
        {
            "reason": reason or _MISSED,
            "what": what,
            "remedy": "Take what you hold for stale. What is told next goes on from the present: "
            "a snapshot, or everything that is kept.",
        },
    )


def closed(reason: Literal["slow", "stopping", "failed"], position: str) -> Message:
    """Say why a stream ends that others would go on with."""
    return message("closed", {"reason": reason, "remedy": _CLOSED[reason]}, position or None)

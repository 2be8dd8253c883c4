"""Times, statuses and priorities in the words of people. Colour never stands alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stagewright.entrypoints.cli.output import symbol

if TYPE_CHECKING:
    from rich.text import Text

_WHOLE = 10
"""From so many of a unit on, fractions say nothing."""
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_STATUS = {
    "running": ("●", "*", "blue"),
    "waiting": ("◌", "o", "yellow"),
    "paused": ("‖", "=", "magenta"),
    "completed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "cancelled": ("⊘", "/", "dim"),
    "active": ("●", "*", "blue"),
    "ended": ("✓", "+", "green"),
    "pending": ("·", ".", "dim"),
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
}
_BAD = frozenset({"failed", "invalid", "timeout", "exhausted", "rejected"})


def duration(seconds: float) -> str:
    """Return for example `0.4 s`, `12 s`, `3 min`, `2.5 h`, `8 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            amount = seconds / size
            return (
                f"{amount:.0f} {unit}"
                if amount >= _WHOLE or unit == "min"
                else f"{amount:.1f} {unit}"
            )
    return f"{seconds:.0f} s" if seconds >= _WHOLE else f"{seconds:.1f} s"


def ago(at_ms: int | None, now_ms: int | None = None) -> str:
    """Return how long ago an instant is, or how soon; empty for None."""
    if at_ms is None:
        return ""
    now = time.time() * 1_000 if now_ms is None else now_ms
    difference_s = (now - at_ms) / 1_000
    return f"{duration(difference_s)} ago" if difference_s >= 0 else f"in {duration(-difference_s)}"


def instant(at_ms: int) -> str:
    """Return the local time of day, with the date when it is not today."""
    moment = time.localtime(at_ms / 1_000)
    today = time.localtime()[:3] == moment[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", moment)


def mark(status: str) -> str:
    """Return the symbol of a status."""
    wanted, plain, _ = _STATUS.get(status, ("?", "?", ""))
    return symbol(wanted, plain)


def colour(status: str) -> str:
    """Return the style of a status."""
    return _STATUS.get(status, ("", "", ""))[2]


def shown(status: str, text: str | None = None) -> Text:
    """Return a status with its symbol and colour."""
    from rich.text import Text

    return Text(f"{mark(status)} {text or status}", style=colour(status))


def stage_status(status: str, outcome: str | None) -> str:
    """Return which symbol a stage gets: a bad outcome is not a tick."""
    return "failed" if status == "ended" and outcome in _BAD else status

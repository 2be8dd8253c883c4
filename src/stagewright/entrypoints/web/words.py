"""Times, sizes and numbers in the words of people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

_WHOLE = 10
"""From so many of a unit on, fractions say nothing."""
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))
_SECOND_MS = 1_000
_KB = 1_024


def duration(span_ms: float) -> str:
    """Return for example `38 ms`, `1.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `8 d`."""
    if span_ms < _SECOND_MS:
        return f"{max(span_ms, 0):.0f} ms"
    if span_ms < 60 * _SECOND_MS:
        amount = span_ms / _SECOND_MS
        return f"{amount:.0f} s" if amount >= _WHOLE else f"{amount:.1f} s"
    return _long(span_ms)


def _long(span_ms: float) -> str:
    smaller = {"d": (3_600_000, "h"), "h": (60_000, "min"), "min": (_SECOND_MS, "s")}
    size, unit = next((size, unit) for size, unit in _UNITS if span_ms >= size)
    whole, rest = divmod(int(span_ms), size)
    part_ms, part = smaller[unit]
    more = rest // part_ms
    return f"{whole} {unit} {more} {part}" if more and whole < _WHOLE else f"{whole} {unit}"


def ago(at_ms: int, now_ms: int) -> str:
    """Return how long ago an instant is, in one unit, or how soon: `3 min ago`, `in 2 h`."""
    apart = abs(now_ms - at_ms)
    if apart < _WHOLE * _SECOND_MS:
        return "just now" if at_ms <= now_ms else "in a moment"
    size, unit = next(((s, u) for s, u in _UNITS if apart >= s), (_SECOND_MS, "s"))
    text = f"{apart // size} {unit}"
    return f"{text} ago" if at_ms <= now_ms else f"in {text}"


def iso(at_ms: int) -> str:
    """Return an instant as RFC 3339 with milliseconds, in UTC."""
    moment = datetime.fromtimestamp(at_ms / _SECOND_MS, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact(at_ms: int) -> str:
    """Return an instant for a tooltip: `2026-03-01 12:03:11.250 UTC`."""
    moment = datetime.fromtimestamp(at_ms / _SECOND_MS, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ms % _SECOND_MS:03d} UTC"


def clock(at_ms: int) -> str:
    """Return the time of day in UTC, as `12:03:11`."""
    return f"{datetime.fromtimestamp(at_ms / _SECOND_MS, UTC):%H:%M:%S}"


def size(count_bytes: int) -> str:
    """Return for example `812 B`, `1.4 kB`, `3.2 MB`."""
    amount, unit = float(count_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < _KB:
            break
        amount, unit = amount / _KB, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= _WHOLE else f"{amount:.1f} {unit}"


def number(count: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{count:,}".replace(",", "\u2009")


def count(amount: int, one: str, many: str = "") -> str:
    """Return `1 stage`, `3 stages`."""
    return f"{number(amount)} {one if amount == 1 else many or one + 's'}"


def short_id(workflow_id: str) -> str:
    """Return the part of an id that tells workflows apart at a glance."""
    return workflow_id[-8:]


def title(name: str) -> str:
    """Return an event's type or a field's name as words: `STAGE_COMPLETE`, `maxItems`."""
    spaced = "".join(f" {c.lower()}" if c.isupper() and not name.isupper() else c for c in name)
    words = spaced.replace("_", " ").replace("-", " ").strip().lower()
    return words[:1].upper() + words[1:]


def pretty(value: Any) -> str:
    """Return JSON over lines, keys in the order given; a text stands as itself."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()


def pretty_bytes(body: bytes) -> str:
    """Return stored JSON over lines; what is no JSON as text."""
    try:
        return pretty(orjson.loads(body))
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")

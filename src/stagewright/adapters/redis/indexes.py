"""The index of a partition: one sorted set in lexical order.

Its members are a term, the update time and the workflow. So a term's rows lie in the order of
pages, and whether a row has another term, too, is one look-up in the same set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stagewright.domain import ids
from stagewright.domain.errors import CursorInvalid
from stagewright.ports.commit import IndexEntry
from stagewright.ports.workflow_store import Query

ROWS_LOOKED_AT = 5_000

Place = tuple[int, str]
"""Update time and workflow id: the order of all rows."""

_CONTROL = re.compile("[\x00-\x1f%]")
_CURSOR = re.compile(r"(\d{1,15})\.(p\d+-[^.\s]+)", re.ASCII)


def members(workflow_id: str, entry: IndexEntry) -> list[str]:
    """Return the members that an entry has in the index; `all` comes with key and name."""
    place = f"\t{entry.updated_at_ms:013d}\t{workflow_id}"
    terms = [
        f"status:{_plain(entry.status)}",
        f"definition:{_plain(entry.definition)}",
        *(_label(name, value) for name, value in entry.labels.items()),
        *(f"waiting:{_plain(kind)}" for kind in entry.waiting),
    ]
    everything = f"all{place}\t{_plain(entry.key or '')}\t{_plain(entry.name)}"
    return [everything, *(term + place for term in terms)]


def _label(name: str, value: str) -> str:
    return f"label:{_plain(name)}={_plain(value)}"


def _plain(text: str) -> str:
    """Spell control characters, which separate, and % as %XX; a prefix stays a prefix."""
    return _CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", text)


@dataclass(frozen=True, slots=True)
class Search:
    """What every partition is asked for one page."""

    first: str
    last: str
    backwards: bool
    text: str
    others: Sequence[str]
    """Terms that must hold beside the one whose range is looked through."""


def searches(query: Query) -> Sequence[Search]:
    """Return a search for each status that a query asks for, or the one without any."""
    if len(query.statuses) <= 1:
        return [search(query)]
    return [search(replace(query, status=status)) for status in query.statuses]


def search(query: Query) -> Search:
    """Translate a query with one status at most; raise CursorInvalid.

    A text is looked for in the rows of `all`.
    """
    terms = list(_terms(query))
    base = "all" if query.text or not terms else terms.pop(0)
    first, last = f"[{base}\t", f"({base}\n"
    if query.updated_from_ms is not None:
        first = f"[{base}\t{query.updated_from_ms:013d}"
    if query.updated_before_ms is not None:
        last = f"({base}\t{query.updated_before_ms:013d}"
    if query.cursor is not None:
        at_ms, workflow_id = parse_cursor(query.cursor)
        behind = f"{base}\t{at_ms:013d}\t{workflow_id}"
        if query.oldest_first:
            first = max(first, f"({behind}\n", key=_bound)
        else:
            last = min(last, f"({behind}", key=_bound)
    return Search(first, last, not query.oldest_first, _plain(query.text or ""), terms)


def _bound(bound: str) -> bytes:
    return bound[1:].encode()


def _terms(query: Query) -> Sequence[str]:
    """Return the terms that must hold, those that few rows have first."""
    waiting, definition = query.waiting, query.definition
    status = query.statuses[0] if query.statuses else None
    found = (
        *(_label(*label) for label in query.labels),
        None if waiting is None else f"waiting:{_plain(waiting)}",
        None if definition is None else f"definition:{_plain(definition)}",
        None if status is None else f"status:{_plain(status)}",
    )
    return [term for term in found if term is not None]


def cursor_at(place: Place) -> str:
    """Spell a place."""
    return f"{place[0]}.{place[1]}"


def parse_cursor(cursor: str) -> Place:
    """Read a place; raise CursorInvalid."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise CursorInvalid(cursor)
    try:
        ids.partition_of(found[2])
    except ValueError:
        raise CursorInvalid(cursor) from None
    return int(found[1]), found[2]


@dataclass(frozen=True, slots=True)
class Found:
    """What one partition answered."""

    places: Sequence[Place]
    looked: Place | None
    """The row looked at last, if more may follow it."""


def merge(found: Sequence[Found], limit: int, *, backwards: bool) -> tuple[list[Place], str | None]:
    """Return the places of one page over all that was searched, and its cursor.

    Nothing beyond the place at which a partition stopped looking may be returned yet: a row of
    that partition could belong before it.
    """
    ends = [part.looked for part in found if part.looked is not None]
    # Whoever changes its status between two searches may stand in both.
    places = sorted({place for part in found for place in part.places}, reverse=backwards)
    if not ends:
        rest = len(places) > limit
        return places[:limit], cursor_at(places[limit - 1]) if rest else None
    end = max(ends) if backwards else min(ends)
    safe = [place for place in places if (place >= end if backwards else place <= end)]
    if len(safe) >= limit:
        return safe[:limit], cursor_at(safe[limit - 1])
    return safe, cursor_at(end)

"""Finding workflows: filters, order and cursors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from stagewright.domain import ids
from stagewright.domain.errors import CursorInvalid
from stagewright.ports.commit import IndexEntry
from stagewright.ports.workflow_store import Query

ROWS_LOOKED_AT = 5_000

Place = tuple[int, str]
"""Update time and workflow id: the order of all rows."""


def page(index: Mapping[str, IndexEntry], query: Query) -> tuple[list[str], str | None]:
    """Return the ids of one page and the cursor behind it, None when nothing follows."""
    places = _places(index, query)
    found: list[str] = []
    last: Place | None = None
    for place in islice(places, ROWS_LOOKED_AT):
        last = place
        if matches(index[place[1]], place[1], query):
            found.append(place[1])
        if len(found) == query.limit:
            break
    more = next(places, None) is not None
    return found, _cursor(last) if more and last else None


def _places(index: Mapping[str, IndexEntry], query: Query) -> Iterator[Place]:
    places = sorted((entry.updated_at_ms, id_) for id_, entry in index.items())
    ordered = iter(places) if query.oldest_first else reversed(places)
    if query.cursor is None:
        return ordered
    start = _parse(query.cursor)
    if query.oldest_first:
        return (place for place in ordered if place > start)
    return (place for place in ordered if place < start)


def _cursor(place: Place) -> str:
    return f"{place[0]}.{place[1]}"


def _parse(cursor: str) -> Place:
    updated, _, workflow_id = cursor.partition(".")
    try:
        ids.partition_of(workflow_id)
        return int(updated), workflow_id
    except ValueError:
        raise CursorInvalid(cursor) from None


def matches(entry: IndexEntry, workflow_id: str, query: Query) -> bool:
    """Whether all filters of a query hold."""
    return (
        (not query.statuses or entry.status in query.statuses)
        and query.definition in (None, entry.definition)
        and all(entry.labels.get(name) == value for name, value in query.labels)
        and (query.waiting is None or query.waiting in entry.waiting)
        and (query.text is None or _begins(entry, workflow_id, query.text))
        and (query.updated_from_ms is None or entry.updated_at_ms >= query.updated_from_ms)
        and (query.updated_before_ms is None or entry.updated_at_ms < query.updated_before_ms)
        and (query.partition is None or ids.partition_of(workflow_id) == query.partition)
    )


def _begins(entry: IndexEntry, workflow_id: str, text: str) -> bool:
    return any(value.startswith(text) for value in (workflow_id, entry.key or "", entry.name))

"""Finding workflows: which index leads, what is filtered behind it, and cursors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stagewright.adapters.sqlite.connection import Row, Session
from stagewright.adapters.sqlite.facets import label_facet, waiting_facet
from stagewright.domain.errors import CursorInvalid
from stagewright.ports.workflow_store import Page, Query, Stored

ROWS_LOOKED_AT = 5_000

_FIRST, _LAST = -(2**63), 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,18})\.(p[0-9]{2,}-[0-9a-zA-Z-]+)")
_FILTERS = ("statuses", "definition", "partition", "text", "labels", "waiting")


def page(session: Session, query: Query) -> Page:
    """Return one page; raise CursorInvalid for a cursor that was not handed out."""
    values = _values(query)
    source, leading = _source(session, query)
    filtered = any(values[name] is not None for name in _FILTERS if name != leading)
    looked_at = ROWS_LOOKED_AT if filtered else query.limit + 1
    order, beyond = ("ASC", ">") if query.oldest_first else ("DESC", "<")
    columns = "'', x''" if query.bare else "step_id, snapshot"
    look = _Look(source, order, beyond, columns, {**values, "looked_at": looked_at})
    rows = look.rows(session, "query_page", rows=query.limit + 1)
    found = [Stored(id_, step_id, snapshot, {}) for _, id_, step_id, snapshot in rows]
    if len(rows) > query.limit:
        return Page(found[:-1], _cursor(rows[-2]))
    reach = look.rows(session, "query_reach") if filtered else []
    return Page(found, _cursor(reach[0]) if reach else None)


@dataclass(frozen=True, slots=True)
class _Look:
    source: str
    order: str
    beyond: str
    columns: str
    values: dict[str, Any]

    def rows(self, session: Session, template: str, **values: Any) -> list[Row]:
        sql = session.statement(template).format(
            source=self.source, order=self.order, beyond=self.beyond, columns=self.columns
        )
        return session.rows_of(sql, {**self.values, **values})


def _values(query: Query) -> dict[str, Any]:
    cursor_ms, cursor_id = _place(query)
    facets = [label_facet(*label) for label in query.labels]
    return {
        "statuses": _json(query.statuses),
        "definition": query.definition,
        "partition": query.partition,
        "text": query.text,
        "labels": _json(facets),
        "waiting": None if query.waiting is None else waiting_facet(query.waiting),
        "from_ms": _FIRST if query.updated_from_ms is None else query.updated_from_ms,
        "before_ms": _LAST if query.updated_before_ms is None else query.updated_before_ms,
        "cursor_ms": cursor_ms,
        "cursor_id": cursor_id,
        "label": facets[0] if facets else None,
        **{f"status{number}": status for number, status in enumerate(query.statuses)},
    }


def _json(values: Sequence[str]) -> str | None:
    return orjson.dumps(values).decode() if values else None


def _source(session: Session, query: Query) -> tuple[str, str]:
    """Return what leads: a table with a condition on an index, and the filter that it settles.

    A text leads only when it matches few: those are sorted by time for every page. One that
    matches many is soon found by going through all in order of time.
    """
    if query.text and _matches_few(session, query.text):
        return session.statement("query_source_text"), "text"
    if query.labels:
        return _facets("label"), "labels" if len(query.labels) == 1 else ""
    if query.waiting is not None:
        return _facets("waiting"), "waiting"
    if query.statuses:
        return _each_status(len(query.statuses)), "statuses"
    if query.definition is not None:
        return "(SELECT * FROM entries WHERE definition = :definition)", "definition"
    return "entries", ""


def _each_status(count: int) -> str:
    """Return the rows of each status in turn: SQLite merges them in the order of the index."""
    each = "SELECT workflow_id, updated_at_ms FROM entries WHERE status = :status{}"
    return f"({' UNION ALL '.join(map(each.format, range(count)))})"


def _facets(name: str) -> str:
    return f"(SELECT * FROM facets WHERE facet = :{name})"  # noqa: S608  # constants


def _matches_few(session: Session, text: str) -> bool:
    values = {"text": text, "looked_at": ROWS_LOOKED_AT}
    ((count,),) = session.rows("count_text_matches", values)
    return bool(count <= ROWS_LOOKED_AT)


def _place(query: Query) -> tuple[int, str]:
    if query.cursor is None:
        return (_FIRST, "") if query.oldest_first else (_LAST, "")
    match = _CURSOR.fullmatch(query.cursor)
    if match is None:
        raise CursorInvalid(query.cursor)
    return int(match[1]), match[2]


def _cursor(place: Row) -> str:
    return f"{place[0]}.{place[1]}"

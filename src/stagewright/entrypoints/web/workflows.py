"""The list of workflows, with filters in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.filters import label_of
from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.rendering import now_of, page
from stagewright.ports import workflow_store

router = APIRouter(include_in_schema=False)
PAGE_ROWS = 50
_SINCE_MS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000}
SINCE = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days"}


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for, as the address has it; empty texts do not filter."""

    status: str = ""
    waiting: str = ""
    definition: str = ""
    label: str = ""
    text: str = ""
    since: str = ""
    order: str = ""

    def address(self, **changed: str) -> str:
        """Return the address of the list with some filters changed."""
        fields = {name: getattr(self, name) for name in _NAMES} | changed
        given = {name: value for name, value in fields.items() if value}
        return f"/workflows?{urlencode(given)}" if given else "/workflows"

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return replace(self, order="") != Filters()

    def query(self, now_ms: int, cursor: str | None) -> workflow_store.Query:
        """Return the store's query; UsageError when the label is not KEY=VALUE."""
        span_ms = _SINCE_MS.get(self.since)
        return workflow_store.Query(
            status=self.status or None,
            definition=self.definition or None,
            label=label_of(self.label) if self.label else None,
            waiting=self.waiting or None,
            text=self.text or None,
            updated_from_ms=None if span_ms is None else now_ms - span_ms,
            oldest_first=self.order == "oldest",
            cursor=cursor,
            limit=PAGE_ROWS,
        )

    def command(self) -> str:
        """Return the command that lists the same."""
        flags = {"status": self.status, "waiting": self.waiting, "definition": self.definition}
        flags |= {"label": self.label, "text": self.text}
        given = " ".join(f"--{name} {value}" for name, value in flags.items() if value)
        oldest = "--oldest-first" if self.order == "oldest" else ""
        return " ".join(filter(None, ("stagewright workflow list", given, oldest)))


_NAMES = tuple(Filters.__dataclass_fields__)
Text = Annotated[str, Query(max_length=400)]


def filters_of(
    status: Text = "",
    waiting: Text = "",
    definition: Text = "",
    label: Text = "",
    text: Text = "",
    since: Text = "",
    order: Text = "",
) -> Filters:
    """Return the filters of an address."""
    return Filters(status, waiting, definition, label.strip(), text.strip(), since, order)


@router.get("/workflows", dependencies=[needs(Scope.READ)])
async def workflows(
    request: Request,
    door: TheDoor,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Return a page of the list."""
    asked = {name: request.query_params.get(name, "")[:400] for name in _NAMES}
    filters = filters_of(**asked)
    found = await door.queries.list(filters.query(now_of(request), cursor))
    names = sorted({view.name for view in await door.queries.definitions()})
    context = {
        "title": "Workflows",
        "nav": "workflows",
        "live": "/api/v1/events",
        "filters": filters,
        "found": found,
        "cursor": cursor,
        "definitions": names,
        "statuses": states.STATUSES,
        "kinds": states.WAITING_KINDS,
        "since": SINCE,
        "chips": _chips(filters),
    }
    return page(request, "workflows.html", context)


def _chips(filters: Filters) -> list[Mapping[str, Any]]:
    """Return the filters in force, each with the address without it."""
    return [
        {"name": name, "value": getattr(filters, name), "without": filters.address(**{name: ""})}
        for name in _NAMES
        if name != "order" and getattr(filters, name)
    ]

"""The first page: what waits for people, what fails, what nobody serves, what happens now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.door import Door
from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.rendering import fragment, page
from stagewright.ports.views import LaneView, SystemView, WorkflowRow
from stagewright.ports.workflow_store import Query

router = APIRouter(include_in_schema=False)
_FEW = 8
_RECENT = 20
_BADGE_MOST = 99


@dataclass(frozen=True, slots=True)
class Attention:
    """Workflows that wait for people, for one reason."""

    kind: str
    state: states.State
    rows: Sequence[WorkflowRow]
    more: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many workflows have a status."""

    status: str
    state: states.State
    number: int


@router.get("/", dependencies=[needs(Scope.READ)])
async def activity(request: Request, door: TheDoor) -> Response:
    """Return the page."""
    system, recent, failed, attention = await asyncio.gather(
        door.queries.system(),
        door.queries.list(Query(limit=_RECENT)),
        door.queries.list(Query(status="failed", limit=_FEW)),
        _attention(door),
    )
    context = {
        "title": "Activity",
        "nav": "activity",
        "live": "/api/v1/events",
        "system": system,
        "counts": counts_of(system),
        "attention": attention,
        "failed": failed,
        "recent": recent,
        "unserved": unserved_of(system),
    }
    return page(request, "activity.html", context)


async def _attention(door: Door) -> list[Attention]:
    kinds = states.NEEDS_PEOPLE
    pages = await asyncio.gather(
        *(door.queries.list(Query(waiting=kind, limit=_FEW)) for kind in kinds)
    )
    return [
        Attention(kind, states.of_waiting(kind), found.rows, found.cursor is not None)
        for kind, found in zip(kinds, pages, strict=True)
        if found.rows
    ]


def counts_of(system: SystemView) -> list[Count]:
    """Return the number of workflows by status, in the order of a workflow's life."""
    return [
        Count(status, states.of_status(status), system.counts.get(status, 0))
        for status in states.STATUSES
    ]


def unserved_of(system: SystemView) -> list[LaneView]:
    """Return the lanes with work and without a live process."""
    return [lane for lane in system.lanes if lane.queued and not lane.live_agents]


@router.get("/ui/badges", dependencies=[needs(Scope.READ)])
async def badges(request: Request, door: TheDoor) -> Response:
    """Return the small numbers of the navigation."""
    waiting, letters = await asyncio.gather(
        door.queries.list(Query(waiting="approval", limit=_BADGE_MOST)),
        door.dead_letters.list(limit=_BADGE_MOST),
    )
    numbers = {
        "approvals": (len(waiting.rows), waiting.cursor is not None),
        "dead-letters": (len(letters), len(letters) == _BADGE_MOST),
    }
    return fragment(request, "fragments/badges.html", {"numbers": numbers})

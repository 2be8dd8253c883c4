"""Health of the whole: the store and its durability, owners, concerns, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.web.activity import counts_of
from stagewright.entrypoints.web.rendering import page
from stagewright.entrypoints.web.states import State
from stagewright.ports.views import SystemView

router = APIRouter(include_in_schema=False)
LEVELS = {
    "full": State("Everything moves", "completed", "good"),
    "limited": State("Some work waits", "waiting", "ask"),
    "minimal": State("Nothing moves", "failed", "bad"),
    "offline": State("The store does not answer", "failed", "bad"),
}
DURABILITY = {
    "none": "Everything is lost when the process ends.",
    "window": "A crash may lose the last moments; the loss is noticed and reported.",
    "process": "What was acknowledged survives the kill of any process.",
    "replicated": "What was acknowledged survives the loss of a server.",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """An orchestrator with its partitions; no holder: partitions that nobody owns."""

    holder: str
    partitions: Sequence[int]
    told_at_ms: int | None = None


def owners_of(system: SystemView) -> list[Owner]:
    """Return who owns what: first what nobody owns, last those who own nothing."""
    held: dict[str, list[int]] = {}
    for partition in range(system.partitions):
        held.setdefault(system.owners.get(partition, ""), []).append(partition)
    told = {one.holder: one.told_at_ms for one in system.orchestrators}
    names = [*sorted(held), *sorted(set(told) - set(held))]
    return [Owner(name, held.get(name, []), told.get(name)) for name in names]


@router.get("/system", dependencies=[needs(Scope.READ)])
async def system(request: Request, door: TheDoor) -> Response:
    """Return the page."""
    view = await door.queries.system()
    context = {
        "title": "System",
        "nav": "system",
        "live": "/api/v1/events",
        "system": view,
        "level": LEVELS[view.level],
        "durability": DURABILITY.get(view.durability, ""),
        "owners": owners_of(view),
        "counts": counts_of(view),
    }
    return page(request, "system.html", context)

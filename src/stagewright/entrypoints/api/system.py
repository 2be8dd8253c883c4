"""The route of the whole system's health."""

from __future__ import annotations

from fastapi import APIRouter

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.ports.views import SystemView

router = APIRouter(prefix="/system", tags=["system"])


@router.get("", dependencies=[needs(Scope.READ)])
async def system(door: TheDoor) -> SystemView:
    """Return health, counts, agents and lanes."""
    return await door.queries.system()

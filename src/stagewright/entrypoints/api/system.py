"""Routes of the whole: its health, what a doctor finds, and what this interface offers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.api.openapi import document
from stagewright.entrypoints.diagnosis import LETTERS, Finding, findings
from stagewright.ports.views import SystemView

router = APIRouter(tags=["system"])


@router.get("/system", dependencies=[needs(Scope.READ)])
async def system(door: TheDoor) -> SystemView:
    """Return health, counts, agents and lanes."""
    return await door.queries.system()


@router.get("/system/doctor", dependencies=[needs(Scope.READ)])
async def doctor(door: TheDoor) -> list[Finding]:
    """Return what the doctor asks first, each with what to do about it."""
    view = await door.queries.system()
    letters = 0 if view.level == "offline" else len(await door.dead_letters.list(limit=LETTERS))
    return list(findings(view, letters))


@router.get("/openapi.json", dependencies=[needs(Scope.READ)])
async def openapi(request: Request) -> dict[str, Any]:
    """Return this interface as an OpenAPI 3.1 document."""
    return document(request.app)

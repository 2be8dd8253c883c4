"""Routes of definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.ports.control import RegisterRequest
from stagewright.ports.views import DefinitionView

router = APIRouter(prefix="/definitions", tags=["definitions"])


@router.get("", dependencies=[needs(Scope.READ)])
async def definitions(door: TheDoor, name: str | None = None) -> Sequence[DefinitionView]:
    """Return registered definitions, oldest version first."""
    return await door.queries.definitions(name)


@router.post("", status_code=201, dependencies=[needs(Scope.OPERATE)])
async def register(door: TheDoor, request: RegisterRequest) -> DefinitionView:
    """Check and register a definition."""
    return await door.commands.register(request)


@router.get("/{reference}", dependencies=[needs(Scope.READ)])
async def definition(door: TheDoor, reference: str) -> dict[str, Any]:
    """Return a definition by `NAME`, `NAME@VERSION` or hash."""
    return await door.queries.definition(reference)

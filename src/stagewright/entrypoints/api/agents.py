"""Routes of agents: what they agreed to, who serves them, what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.ports.catalogue import AgentDetail

router = APIRouter(prefix="/agents", tags=["agents"])


@router.get("", dependencies=[needs(Scope.READ)])
async def agents(door: TheDoor) -> Sequence[AgentDetail]:
    """Return every agent that has a contract, a live process or a task."""
    return await door.catalogue.agents()


@router.get("/{name}", dependencies=[needs(Scope.READ)])
async def agent(door: TheDoor, name: Annotated[str, Path(max_length=63)]) -> AgentDetail:
    """Return one agent, with the JSON Schemas of its contracts."""
    return await door.catalogue.agent(name)

"""Routes of commands to one workflow."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.bodies import BoundedRoute
from stagewright.entrypoints.api.dependencies import Id, TheDoor
from stagewright.ports.bulk import Action
from stagewright.ports.control import CommandReply, CommandRequest

router = APIRouter(prefix="/workflows", tags=["commands"], route_class=BoundedRoute)


class Said(BaseModel):
    """What every command may say."""

    model_config = ConfigDict(extra="forbid")

    command_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """UUIDv7 as 32 hex digits; sending a command again with it changes nothing more."""
    by: str = Field(default="anonymous", max_length=200)
    """Who gives it: yourself, unless your key may speak for others."""


class Reasoned(Said):
    """A command with a reason."""

    reason: str = Field(default="", max_length=2_000)


class Retried(Said):
    """Which stage to dispatch again, or from where a successor of a finished workflow starts."""

    stage: str | None = Field(default=None, max_length=63)
    data: Any = None
    """Another input, for a successor."""


class Signalled(Said):
    """Something outside happened."""

    name: str = Field(min_length=1, max_length=63)
    data: Any = None


class Decided(Reasoned):
    """A decision on an approval; refused when its round is over, or something else is shown."""

    stage: str | None = Field(default=None, max_length=63)
    """May be left out when only one approval waits."""
    visit: int | None = Field(default=None, ge=1, le=1_000_000)
    shown_hash: str | None = Field(default=None, max_length=128)
    groups: tuple[Annotated[str, Field(max_length=200)], ...] = Field(default=(), max_length=100)
    data: Any = None
    """The form, filled in."""


async def applied(door: TheDoor, workflow_id: str, kind: Action, body: Said | None) -> CommandReply:
    """Give a command in the name of whoever asks."""
    said = {} if body is None else body.model_dump(exclude_unset=True)
    request = CommandRequest.model_validate({**said, "kind": kind})
    return await door.commands.command(workflow_id, request)


@router.post("/{workflow_id}/pause", dependencies=[needs(Scope.OPERATE)])
async def pause(door: TheDoor, workflow_id: Id, body: Reasoned | None = None) -> CommandReply:
    """Let nothing new begin until resumed."""
    return await applied(door, workflow_id, "pause", body)


@router.post("/{workflow_id}/resume", dependencies=[needs(Scope.OPERATE)])
async def resume(door: TheDoor, workflow_id: Id, body: Said | None = None) -> CommandReply:
    """Go on, first with what was recorded meanwhile."""
    return await applied(door, workflow_id, "resume", body)


@router.post("/{workflow_id}/cancel", dependencies=[needs(Scope.OPERATE)])
async def cancel(door: TheDoor, workflow_id: Id, body: Reasoned | None = None) -> CommandReply:
    """End a workflow now; running agents are told."""
    return await applied(door, workflow_id, "cancel", body)


@router.post("/{workflow_id}/retry", dependencies=[needs(Scope.OPERATE)])
async def retry(door: TheDoor, workflow_id: Id, body: Retried | None = None) -> CommandReply:
    """Dispatch a held stage again, or start a successor of a finished workflow."""
    return await applied(door, workflow_id, "retry", body)


@router.post("/{workflow_id}/signal", dependencies=[needs(Scope.OPERATE)])
async def signal(
    door: TheDoor, workflow_id: Id, body: Annotated[Signalled, Body()]
) -> CommandReply:
    """Tell a workflow that something outside happened."""
    return await applied(door, workflow_id, "signal", body)


@router.post("/{workflow_id}/approve", dependencies=[needs(Scope.APPROVE)])
async def approve(door: TheDoor, workflow_id: Id, body: Decided | None = None) -> CommandReply:
    """Approve what waits for it."""
    return await applied(door, workflow_id, "approve", body)


@router.post("/{workflow_id}/reject", dependencies=[needs(Scope.APPROVE)])
async def reject(door: TheDoor, workflow_id: Id, body: Decided | None = None) -> CommandReply:
    """Reject what waits for approval."""
    return await applied(door, workflow_id, "reject", body)

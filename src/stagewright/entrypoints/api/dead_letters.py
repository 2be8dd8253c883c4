"""Routes of dead letters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from stagewright.adapters.http.letters import LetterDocument, document_of
from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.bodies import BoundedRoute
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.ports.letter_desk import LetterAction, LetterGroups, LetterReport

router = APIRouter(prefix="/dead-letters", tags=["dead letters"], route_class=BoundedRoute)

LetterId = Annotated[str, Path(max_length=200, description="Id of a dead letter.")]
WorkflowId = Annotated[str | None, Parameter(max_length=200)]


class Discarded(BaseModel):
    """Why a letter is not needed."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=2_000)
    by: str = Field(default="", max_length=200)


@router.get("", dependencies=[needs(Scope.READ)])
async def letters(
    door: TheDoor,
    workflow_id: WorkflowId = None,
    after: Annotated[str | None, Parameter(max_length=200)] = None,
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 50,
) -> list[LetterDocument]:
    """Return letters, newest first."""
    return [document_of(x) for x in await door.dead_letters.list(workflow_id, after, limit)]


@router.get("/groups", dependencies=[needs(Scope.READ)])
async def groups(door: TheDoor, workflow_id: WorkflowId = None) -> LetterGroups:
    """Return letters by cause, the biggest group first."""
    return await door.letter_desk.groups(workflow_id)


@router.post("/bulk", dependencies=[needs(Scope.OPERATE)])
async def act(door: TheDoor, body: LetterAction) -> LetterReport:
    """Redrive or discard the letters named, or those of one cause, at most 1,000 at once."""
    return await door.letter_desk.act(body)


@router.get("/{letter_id}", dependencies=[needs(Scope.READ)])
async def letter(door: TheDoor, letter_id: LetterId) -> LetterDocument:
    """Return one letter."""
    found = await door.dead_letters.read(letter_id)
    if found is None:
        raise NotFound("dead letter", letter_id, remedy="See `stagewright dead-letter list`.")
    return document_of(found)


@router.post(
    "/{letter_id}/redrive",
    status_code=204,
    dependencies=[needs(Scope.OPERATE)],
    openapi_extra={
        "requestBody": {
            "description": "The letter's body, edited; nothing leaves it as it is.",
            "content": {"application/json": {"schema": {}}},
        }
    },
)
async def redrive(door: TheDoor, letter_id: LetterId, request: Request) -> Response:
    """Put a letter back; a body in the request replaces the letter's."""
    await door.commands.redrive(letter_id, await request.body() or None)
    return Response(status_code=204)


@router.post("/{letter_id}/discard", status_code=204, dependencies=[needs(Scope.OPERATE)])
async def discard(door: TheDoor, letter_id: LetterId, body: Discarded) -> Response:
    """Delete a letter; its workflow's notes keep who did so and why."""
    await door.letter_desk.discard(letter_id, body.by, body.reason)
    return Response(status_code=204)


@router.delete("/{letter_id}", status_code=204, dependencies=[needs(Scope.OPERATE)])
async def delete(door: TheDoor, letter_id: LetterId) -> Response:
    """Delete a letter without a word why."""
    await door.letter_desk.discard(letter_id, "", "")
    return Response(status_code=204)

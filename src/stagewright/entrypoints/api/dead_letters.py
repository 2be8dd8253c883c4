"""Routes of dead letters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter

from stagewright.adapters.http.letters import LetterDocument, document_of
from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])


@router.get("", dependencies=[needs(Scope.READ)])
async def letters(
    door: TheDoor,
    workflow_id: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 50,
) -> list[LetterDocument]:
    """Return letters, newest first."""
    return [document_of(x) for x in await door.dead_letters.list(workflow_id, after, limit)]


@router.get("/{letter_id}", dependencies=[needs(Scope.READ)])
async def letter(door: TheDoor, letter_id: str) -> LetterDocument:
    """Return one letter."""
    found = await door.dead_letters.read(letter_id)
    if found is None:
        raise NotFound("dead letter", letter_id, remedy="See `stagewright dead-letter list`.")
    return document_of(found)


@router.post("/{letter_id}/redrive", status_code=204, dependencies=[needs(Scope.OPERATE)])
async def redrive(door: TheDoor, letter_id: str, request: Request) -> Response:
    """Put a letter back; a body in the request replaces the letter's."""
    await door.commands.redrive(letter_id, await request.body() or None)
    return Response(status_code=204)


@router.delete("/{letter_id}", status_code=204, dependencies=[needs(Scope.OPERATE)])
async def discard(door: TheDoor, letter_id: str) -> Response:
    """Delete a letter."""
    if not await door.dead_letters.discard(letter_id):
        raise NotFound("dead letter", letter_id, remedy="See `stagewright dead-letter list`.")
    return Response(status_code=204)

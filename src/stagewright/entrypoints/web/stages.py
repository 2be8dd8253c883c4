"""Big values, on demand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.web import reading, words
from stagewright.entrypoints.web.rendering import fragment
from stagewright.entrypoints.web.workflow import Id

router = APIRouter(include_in_schema=False)
_SHOWN_CHARACTERS = 4_000_000


@router.get("/ui/workflows/{workflow_id}/value", dependencies=[needs(Scope.READ)])
async def value(
    request: Request,
    door: TheDoor,
    workflow_id: Id,
    key: Annotated[str, Query(max_length=300)],
) -> Response:
    """Return one stored value as text."""
    found = await reading.values_of(door, workflow_id, [key])
    if key not in found:
        raise NotFound("output", key)
    text = words.pretty_bytes(found[key])
    cut = len(text) > _SHOWN_CHARACTERS
    context = {"text": text[:_SHOWN_CHARACTERS], "cut": cut, "characters": len(text)}
    return fragment(request, "fragments/value.html", context)

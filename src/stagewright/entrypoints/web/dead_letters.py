"""Messages that could not be applied: grouped by cause, edited, put back, or thrown away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.entrypoints.web import words
from stagewright.entrypoints.web.actions import told
from stagewright.entrypoints.web.posted import TheForm
from stagewright.entrypoints.web.rendering import page
from stagewright.ports.dead_letters import DeadLetter

router = APIRouter(include_in_schema=False)
LetterId = Annotated[str, Path(max_length=200)]
_PAGE = 200
_PARTS = re.compile(r"p\d\d-[0-9a-f]{32}(/\S+)?|[0-9a-f]{16,}|'[^']*'|\"[^\"]*\"|\d+")


@dataclass(frozen=True, slots=True)
class Cause:
    """Letters with the same reason, but for names and numbers in it."""

    text: str
    letters: Sequence[DeadLetter]


def causes_of(letters: Sequence[DeadLetter]) -> list[Cause]:
    """Return letters grouped by cause, the biggest group first."""
    found: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault(_PARTS.sub("…", letter.reason), []).append(letter)
    groups = [Cause(one[0].reason if len(one) == 1 else text, one) for text, one in found.items()]
    return sorted(groups, key=lambda cause: -len(cause.letters))


@router.get("/dead-letters", dependencies=[needs(Scope.READ)])
async def dead_letters(
    request: Request,
    door: TheDoor,
    after: Annotated[str | None, Query(max_length=200)] = None,
    workflow: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return the page."""
    letters = await door.dead_letters.list(workflow, after, _PAGE)
    context = {
        "title": "Dead letters",
        "nav": "dead-letters",
        "live": "/api/v1/events",
        "causes": causes_of(letters),
        "total": len(letters),
        "after": letters[-1].letter_id if len(letters) == _PAGE else None,
        "workflow": workflow,
    }
    return page(request, "dead_letters.html", context)


@router.get("/dead-letters/{letter_id}", dependencies=[needs(Scope.READ)])
async def dead_letter(request: Request, door: TheDoor, letter_id: LetterId) -> Response:
    """Return one letter, to be edited."""
    letter = await door.dead_letters.read(letter_id)
    if letter is None:
        raise NotFound("dead letter", letter_id, remedy="It was put back or thrown away before.")
    context = {
        "title": f"Dead letter {letter_id}",
        "nav": "dead-letters",
        "letter": letter,
        "body": words.pretty_bytes(letter.body),
        "command_line": f"stagewright dead-letter redrive {letter_id}",
    }
    return page(request, "dead_letter.html", context)


@router.post("/ui/dead-letters/{letter_id}/redrive", dependencies=[needs(Scope.OPERATE)])
async def redrive(request: Request, door: TheDoor, letter_id: LetterId, form: TheForm) -> Response:
    """Put a letter back, as edited."""
    letter = await door.dead_letters.read(letter_id)
    body = form.get("body", "")
    same = letter is not None and body == words.pretty_bytes(letter.body)
    await door.commands.redrive(letter_id, None if same or not body else body.encode())
    where = f"/workflows/{letter.workflow_id}" if letter and letter.workflow_id else ""
    return told(request, f"Letter {letter_id} was put back.", where or "/dead-letters")


@router.post("/ui/dead-letters/{letter_id}/discard", dependencies=[needs(Scope.OPERATE)])
async def discard(request: Request, door: TheDoor, letter_id: LetterId) -> Response:
    """Throw a letter away."""
    if not await door.dead_letters.discard(letter_id):
        raise NotFound("dead letter", letter_id, remedy="It was put back or thrown away before.")
    return told(request, f"Letter {letter_id} was thrown away.", "/dead-letters")

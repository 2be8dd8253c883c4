"""Dead letters as JSON: bodies may be anything, so they travel in base64, and as text beside."""

from __future__ import annotations

import base64

from pydantic import BaseModel

from stagewright.ports.dead_letters import DeadLetter


class LetterDocument(BaseModel):
    """A dead letter that travels."""

    letter_id: str
    workflow_id: str | None
    reason: str
    at_ms: int
    body_base64: str
    body_text: str | None
    """The body when it is UTF-8."""


def document_of(letter: DeadLetter) -> LetterDocument:
    """Return the JSON form."""
    return LetterDocument(
        letter_id=letter.letter_id,
        workflow_id=letter.workflow_id,
        reason=letter.reason,
        at_ms=letter.at_ms,
        body_base64=base64.b64encode(letter.body).decode(),
        body_text=_text(letter.body),
    )


def letter_of(document: LetterDocument) -> DeadLetter:
    """Return the letter a document describes."""
    return DeadLetter(
        letter_id=document.letter_id,
        workflow_id=document.workflow_id,
        reason=document.reason,
        body=base64.b64decode(document.body_base64),
        at_ms=document.at_ms,
    )


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None

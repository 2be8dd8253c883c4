"""Dead letters through a door."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import TypeAdapter

from stagewright.adapters.http.client import DoorClient
from stagewright.adapters.http.letters import LetterDocument, letter_of
from stagewright.domain.errors import NotFound
from stagewright.ports.dead_letters import DeadLetter

_LETTERS = TypeAdapter(list[LetterDocument])


class HttpDeadLetters:
    """`IDeadLetters` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return letters, newest first."""
        given = {"workflow_id": workflow_id, "after": after, "limit": limit}
        answer = await self._client.get("/dead-letters", given)
        return [letter_of(document) for document in _LETTERS.validate_json(answer)]

    async def read(self, letter_id: str) -> DeadLetter | None:
        """Return one letter."""
        try:
            answer = await self._client.get(_path(letter_id))
        except NotFound:
            return None
        return letter_of(LetterDocument.model_validate_json(answer))

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:
        """Put `body` back; the server's own time counts."""
        del now_ms
        try:
            await self._client.send("POST", f"{_path(letter_id)}/redrive", body)
        except NotFound:
            return False
        return True

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        try:
            await self._client.send("DELETE", _path(letter_id))
        except NotFound:
            return False
        return True


def _path(letter_id: str) -> str:
    return f"/dead-letters/{quote(letter_id, safe='')}"

"""Many dead letters at once, through a door."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.letter_desk import LetterAction, LetterGroups, LetterReport


class HttpLetterDesk:
    """`ILetterDesk` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def groups(self, workflow_id: str | None = None) -> LetterGroups:
        """Return letters by cause."""
        answer = await self._client.get("/dead-letters/groups", {"workflow_id": workflow_id})
        return LetterGroups.model_validate_json(answer)

    async def act(self, action: LetterAction) -> LetterReport:
        """Redrive or discard letters."""
        body = action.model_dump_json(exclude_defaults=True).encode()
        answer = await self._client.send("POST", "/dead-letters/bulk", body)
        return LetterReport.model_validate_json(answer)

    async def discard(self, letter_id: str, by: str, reason: str) -> None:
        """Delete a letter and note who did so and why."""
        path = f"/dead-letters/{quote(letter_id, safe='')}/discard"
        await self._client.send("POST", path, orjson.dumps({"by": by, "reason": reason}))

"""API keys through a door."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import TypeAdapter

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.keys import KeyRequest, KeyView, NewKey

_KEYS = TypeAdapter(list[KeyView])


class HttpKeys:
    """`IKeys` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def create(self, request: KeyRequest) -> NewKey:
        """Make a key."""
        answer = await self._client.send("POST", "/keys", request.model_dump_json().encode())
        return NewKey.model_validate_json(answer)

    async def list(self) -> Sequence[KeyView]:
        """Return all keys."""
        return _KEYS.validate_json(await self._client.get("/keys"))

    async def revoke(self, key_id: str) -> KeyView:
        """Take a key out of service."""
        answer = await self._client.send("DELETE", f"/keys/{quote(key_id, safe='')}")
        return KeyView.model_validate_json(answer)

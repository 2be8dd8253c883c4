"""Commands through a door."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.control import (
    CommandReply,
    CommandRequest,
    RegisterRequest,
    Started,
    StartRequest,
)
from stagewright.ports.system import IIdentifiers
from stagewright.ports.views import DefinitionView, ReplayReport


class HttpCommands:
    """`ICommands` over HTTP. Draws command ids itself, so that a caller may send again."""

    def __init__(self, client: DoorClient, ids: IIdentifiers) -> None:
        self._client, self._ids = client, ids

    async def start(self, request: StartRequest) -> Started:
        """Start a workflow."""
        body = request.model_dump_json(exclude_defaults=True).encode()
        answer = await self._client.send("POST", "/workflows", body)
        return Started.model_validate_json(answer)

    async def command(self, workflow_id: str, request: CommandRequest) -> CommandReply:
        """Apply a command."""
        body = request.model_dump(exclude={"kind"}, exclude_defaults=True)
        body["command_id"] = request.command_id or self._ids.uuid7()
        path = f"/workflows/{quote(workflow_id, safe='')}/{request.kind}"
        answer = await self._client.send("POST", path, orjson.dumps(body))
        return CommandReply.model_validate_json(answer)

    async def register(self, request: RegisterRequest) -> DefinitionView:
        """Check and register a definition."""
        answer = await self._client.send("POST", "/definitions", request.model_dump_json().encode())
        return DefinitionView.model_validate_json(answer)

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        """Compare log and snapshot."""
        path = f"/workflows/{quote(workflow_id, safe='')}/replay"
        answer = await self._client.send("POST", path, orjson.dumps({"repair": repair}))
        return ReplayReport.model_validate_json(answer)

    async def redrive(self, letter_id: str, body: bytes | None = None) -> None:
        """Put a dead letter back, edited if `body` is given."""
        await self._client.send("POST", f"/dead-letters/{quote(letter_id, safe='')}/redrive", body)

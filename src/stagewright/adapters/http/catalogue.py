"""Definitions and agents through a door."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import TypeAdapter

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.catalogue import AgentDetail, DefinitionDetail, Statistics

_AGENTS = TypeAdapter(list[AgentDetail])


class HttpCatalogue:
    """`ICatalogue` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def described(self, reference: str) -> DefinitionDetail:
        """Return a definition, drawn."""
        path = f"/definitions/{quote(reference, safe='')}/detail"
        return DefinitionDetail.model_validate_json(await self._client.get(path))

    async def statistics(self, name: str) -> Statistics:
        """Return how its newest finished workflows went."""
        path = f"/definitions/{quote(name, safe='')}/statistics"
        return Statistics.model_validate_json(await self._client.get(path))

    async def agents(self) -> Sequence[AgentDetail]:
        """Return every agent."""
        return _AGENTS.validate_json(await self._client.get("/agents"))

    async def agent(self, name: str) -> AgentDetail:
        """Return one agent."""
        path = f"/agents/{quote(name, safe='')}"
        return AgentDetail.model_validate_json(await self._client.get(path))

"""The audit through a door."""

from __future__ import annotations

from dataclasses import asdict

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.audit import AuditPage, AuditQuery


class HttpAudit:
    """`IAuditReader` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return entries, newest first."""
        return AuditPage.model_validate_json(await self._client.get("/audit", asdict(query)))

"""Closer looks through a door."""

from __future__ import annotations

from urllib.parse import quote

from stagewright.adapters.http.client import DoorClient
from stagewright.adapters.http.queries import conditions
from stagewright.ports.details import COUNTED, ApprovalPage, ApprovalQuery, Count, StageDetail
from stagewright.ports.workflow_store import Query


class HttpDetails:
    """`IDetails` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage with its rounds."""
        path = f"/workflows/{quote(workflow_id, safe='')}/stages/{quote(stage, safe='')}"
        return StageDetail.model_validate_json(await self._client.get(path))

    async def output(self, workflow_id: str, key: str) -> bytes:
        """Return a stored payload whole."""
        path = f"/workflows/{quote(workflow_id, safe='')}/outputs/{quote(key)}"
        return await self._client.get(path)

    async def count(self, query: Query, most: int = COUNTED) -> Count:
        """Return how many workflows fit."""
        answer = await self._client.get("/workflows/count", {**conditions(query), "most": most})
        return Count.model_validate_json(answer)

    async def approvals(self, query: ApprovalQuery) -> ApprovalPage:
        """Return what waits for people."""
        given = {
            "definition": query.definition,
            "by": query.by,
            "group": list(query.groups),
            "sort": "updated" if query.oldest_first else "-updated",
            "cursor": query.cursor,
            "limit": query.limit,
        }
        return ApprovalPage.model_validate_json(await self._client.get("/approvals", given))

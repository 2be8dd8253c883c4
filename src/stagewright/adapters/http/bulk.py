"""Bulk jobs through a door."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import TypeAdapter

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.bulk import BulkRequest, BulkView

_JOBS = TypeAdapter(list[BulkView])


class HttpBulk:
    """`IBulk` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def begin(self, request: BulkRequest) -> BulkView:
        """Note a job."""
        body = request.model_dump_json(exclude_unset=True).encode()
        answer = await self._client.send("POST", "/workflows/bulk", body)
        return BulkView.model_validate_json(answer)

    async def job(self, job_id: str) -> BulkView:
        """Return how far a job is."""
        answer = await self._client.get(f"/bulk/{quote(job_id, safe='')}")
        return BulkView.model_validate_json(answer)

    async def jobs(self) -> Sequence[BulkView]:
        """Return the jobs of the last day."""
        return _JOBS.validate_json(await self._client.get("/bulk"))

"""Queries through a door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.views import (
    DefinitionView,
    LogPage,
    SystemView,
    WorkflowPage,
    WorkflowView,
)
from stagewright.ports.workflow_store import Query


def conditions(query: Query) -> dict[str, Any]:
    """Return what a query filters by as parameters."""
    return {
        "status": list(query.statuses),
        "definition": query.definition,
        "label": ["=".join(label) for label in query.labels],
        "waiting": query.waiting,
        "text": query.text,
        "updated_from_ms": query.updated_from_ms,
        "updated_before_ms": query.updated_before_ms,
        "partition": query.partition,
    }


_DEFINITIONS = TypeAdapter(list[DefinitionView])


class HttpQueries:
    """`IQueries` over HTTP."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def show(self, workflow_id: str) -> WorkflowView:
        """Return one workflow."""
        answer = await self._client.get(f"/workflows/{quote(workflow_id, safe='')}")
        return WorkflowView.model_validate_json(answer)

    async def ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        """Return one workflow once it has ended, or as it is after `wait_s`."""
        path = f"/workflows/{quote(workflow_id, safe='')}"
        answer = await self._client.get(path, {"wait_s": wait_s})
        return WorkflowView.model_validate_json(answer)

    async def list(self, query: Query) -> WorkflowPage:
        """Return a page of workflows."""
        parameters = {
            **conditions(query),
            "sort": "updated" if query.oldest_first else "-updated",
            "cursor": query.cursor,
            "limit": query.limit,
        }
        return WorkflowPage.model_validate_json(await self._client.get("/workflows", parameters))

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        """Return logged steps or notes."""
        answer = await self._client.get(
            f"/workflows/{quote(workflow_id, safe='')}/log",
            {"which": which, "after": after, "limit": limit},
        )
        return LogPage.model_validate_json(answer)

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        """Return registered definitions."""
        return _DEFINITIONS.validate_json(await self._client.get("/definitions", {"name": name}))

    async def definition(self, reference: str) -> dict[str, Any]:
        """Return a definition's JSON."""
        answer = await self._client.get(f"/definitions/{quote(reference, safe='')}")
        body: dict[str, Any] = orjson.loads(answer)
        return body

    async def system(self) -> SystemView:
        """Return health, counts, agents and lanes."""
        return SystemView.model_validate_json(await self._client.get("/system"))

"""Closer looks: rounds of a stage, payloads, counts, approvals; definitions and agents in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import orjson

from stagewright.entrypoints.client.queries import Filters, query_of
from stagewright.entrypoints.client.session import Session
from stagewright.ports.catalogue import AgentDetail, DefinitionDetail, Statistics
from stagewright.ports.details import ApprovalPage, ApprovalQuery, Count, StageDetail


class Details(Session):
    """Look closer."""

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage with its rounds, attempts, contract and notes."""
        return await self._call(lambda to: to.details.stage(workflow_id, stage))

    async def output(self, workflow_id: str, key: str) -> Any:
        """Return a stored payload whole: `input`, `STAGE/VISIT`, or what a view refers to."""
        return orjson.loads(await self._call(lambda to: to.details.output(workflow_id, key)))

    async def count(self, **filters: Unpack[Filters]) -> Count:
        """Return how many workflows fit, exactly up to 10,000; see `Filters`."""
        query = query_of(filters)
        return await self._call(lambda to: to.details.count(query))

    async def approvals(
        self,
        *,
        by: str | None = None,
        groups: Sequence[str] = (),
        definition: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ApprovalPage:
        """Return what waits for people; with `by` what that person may decide and has not yet."""
        query = ApprovalQuery(definition, by, tuple(groups), cursor=cursor, limit=limit)
        return await self._call(lambda to: to.details.approvals(query))

    async def described(self, reference: str) -> DefinitionDetail:
        """Return a definition with its versions, diagram, graph and start form."""
        return await self._call(lambda to: to.catalogue.described(reference))

    async def statistics(self, name: str) -> Statistics:
        """Return how the newest finished workflows of a definition went."""
        return await self._call(lambda to: to.catalogue.statistics(name))

    async def agents(self) -> Sequence[AgentDetail]:
        """Return every agent that has a contract, a live process or a task."""
        return await self._call(lambda to: to.catalogue.agents())

    async def agent(self, name: str) -> AgentDetail:
        """Return one agent with the schemas of its contracts."""
        return await self._call(lambda to: to.catalogue.agent(name))

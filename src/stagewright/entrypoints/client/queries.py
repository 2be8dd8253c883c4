"""Views of workflows, and waiting for their end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, TypedDict, Unpack

from stagewright.domain.errors import TimedOut, Unreachable, UsageError, listing
from stagewright.domain.workflow import Status
from stagewright.entrypoints.client.patience import Patience
from stagewright.entrypoints.client.session import Session
from stagewright.ports.views import LogPage, SystemView, Waiting, WorkflowPage, WorkflowView
from stagewright.ports.workflow_store import Label, Query

AT_ONCE_S = 5.0
"""So long one question waits for the end of a workflow."""


class Filters(TypedDict, total=False):
    """What a list can be narrowed by; all that is given must hold. None does not narrow."""

    status: str | tuple[str, ...] | None
    """One, or any of several."""
    definition: str | None
    """Name of the definition."""
    label: Label | tuple[Label, ...] | None
    """One, or several that must all be there."""
    waiting: str | None
    """Kind of waiting: task, retry, timer, signal, approval, held, ..."""
    text: str | None
    """Start of workflow id, key or name."""
    updated_from_ms: int | None
    updated_before_ms: int | None
    partition: int | None
    oldest_first: bool
    cursor: str | None
    """Of the page before."""
    limit: int
    """1 to 1,000 rows."""


def query_of(filters: Filters) -> Query:
    """Return a query; UsageError for a filter that there is not."""
    unknown = set(filters) - set(Filters.__annotations__)
    if unknown:
        known = listing(Filters.__annotations__, limit=50)
        raise UsageError(f"No filter {listing(unknown)}.", remedy=f"Known: {known}.")
    return Query(**filters)


class WorkflowQueries(Session):
    """Look at workflows."""

    async def show(self, workflow_id: str) -> WorkflowView:
        """Return a workflow with its stages, outputs and waiting reasons."""
        return await self._call(lambda to: to.queries.show(workflow_id))

    async def explain(self, workflow_id: str) -> Sequence[Waiting]:
        """Return why a workflow does not move, and who can change that; empty when it ended."""
        return (await self.show(workflow_id)).waiting

    async def wait(self, workflow_id: str, *, timeout_s: float | None = None) -> WorkflowView:
        """Return the workflow once it has ended, however it ended; TimedOut after `timeout_s`.

        A place that does not answer for a while, as when its owner restarts, is borne.
        """
        patience = Patience(timeout_s)
        while not patience.over:
            try:
                view = await self._ended(workflow_id, patience.left(AT_ONCE_S))
            except Unreachable:
                patience.bear()
                await patience.pause()
                continue
            patience.answered()
            if Status(view.status).terminal:
                return view
        raise TimedOut(
            f"Waiting for {workflow_id}",
            after_s=timeout_s,
            remedy=f"See `stagewright workflow explain {workflow_id}`.",
        )

    async def _ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        return await self._call(lambda to: to.queries.ended(workflow_id, wait_s))

    async def follow(
        self, workflow_id: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[WorkflowView]:
        """Yield the workflow again and again, the last time when it has ended or time is over.

        A place that does not answer for a while, as when its owner restarts, is borne.
        """
        patience = Patience(timeout_s)
        while True:
            try:
                view = await self.show(workflow_id)
            except Unreachable:
                patience.bear()
            else:
                patience.answered()
                yield view
                if Status(view.status).terminal:
                    return
            if patience.over:
                return
            await patience.pause()

    async def log(
        self,
        workflow_id: str,
        *,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        """Return logged steps or notes after number `after`."""
        return await self._call(lambda to: to.queries.log(workflow_id, which, after, limit))

    async def list(self, **filters: Unpack[Filters]) -> WorkflowPage:
        """Return a page of workflows, the newest change first; see `Filters`."""
        query = query_of(filters)
        return await self._call(lambda to: to.queries.list(query))

    async def system(self) -> SystemView:
        """Return health, counts, agents and lanes."""
        return await self._call(lambda to: to.queries.system())

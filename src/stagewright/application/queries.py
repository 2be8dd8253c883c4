"""Queries: what is, for people and programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Literal

import orjson
import structlog

from stagewright.application.catalog import Catalog
from stagewright.application.explain import Scene, explain
from stagewright.application.inbox import proof_in
from stagewright.application.live import Live, load_one
from stagewright.application.ownership import owners
from stagewright.application.signs import AGENTS, signs_of_life
from stagewright.application.system_view import system_view
from stagewright.application.usage import UsageLog
from stagewright.application.workflow_views import row_view, unreadable_row, workflow_view
from stagewright.domain.errors import NotFound, WorkflowNotFound
from stagewright.domain.ids import partition_of
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Topic
from stagewright.ports.system import IClock
from stagewright.ports.task import TaskLease, TaskRecord
from stagewright.ports.views import (
    AgentView,
    DefinitionView,
    LogPage,
    SystemView,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)
from stagewright.ports.workflow_store import Query, Stored

log = structlog.get_logger(__name__)


class Queries:
    """Implements `IQueries` over a backend."""

    def __init__(self, backend: Backend, catalog: Catalog, clock: IClock) -> None:
        self._backend = backend
        self._catalog = catalog
        self._clock = clock
        self._usage = UsageLog(backend.store)

    async def show(self, workflow_id: str) -> WorkflowView:
        """Return a workflow with its stages, outputs and waiting reasons; NotFound."""
        live = await self._live(workflow_id)
        waiting = []
        if not live.state.status.terminal:
            waiting = explain(live.state, await self._scene(live))
        return workflow_view(live, waiting, await self._usage.of(live.state))

    async def ended(self, workflow_id: str, wait_s: float) -> WorkflowView:
        """Return a workflow as soon as it has ended, or as it is after `wait_s`; NotFound.

        The step that ends it says so; should that be missed, the last look finds it.
        """
        if not await self._over(workflow_id):
            async with self._backend.bus.subscribe(Topic.ENDED, workflow_id) as ends:
                if not await self._over(workflow_id):
                    await self._first(anext(aiter(ends)), wait_s)
        return await self.show(workflow_id)

    async def _over(self, workflow_id: str) -> bool:
        return (await self._live(workflow_id)).state.status.terminal

    async def _first(self, word: Awaitable[object], wait_s: float) -> None:
        """Wait for a word, at most so long."""
        heard = asyncio.ensure_future(word)
        slept = asyncio.ensure_future(self._clock.sleep(wait_s))
        try:
            await asyncio.wait((heard, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            slept.cancel()

    async def _live(self, workflow_id: str) -> Live:
        live = await load_one(self._backend, self._catalog, workflow_id)
        if live is None:
            raise WorkflowNotFound(workflow_id)
        return live

    async def _scene(self, live: Live) -> Scene:
        (records,) = await self._backend.tasks.inspect([live.state.workflow_id])
        owned = await owners(self._backend.kv, self._clock.now_ms())
        return Scene(
            plan=live.compiled.plan,
            records={record.task_id: record for record in records},
            agents=await self._agents(),
            owner=owned.get(partition_of(live.state.workflow_id)),
            sole=self._backend.sole,
            letters=await self._letters(live.state.workflow_id, records),
        )

    async def _letters(self, workflow_id: str, records: Sequence[TaskRecord]) -> dict[str, str]:
        """Return the newest dead letter by task, of results that their tasks ended with."""
        ended = {TaskLease(one.task_id, one.token) for one in records if one.state == "done"}
        if not ended:
            return {}
        found: dict[str, str] = {}
        for letter in await self._backend.dead_letters.list(workflow_id):
            if (proof := proof_in(letter)) in ended and proof is not None:
                found.setdefault(proof.task_id, letter.letter_id)
        return found

    async def _agents(self) -> list[AgentView]:
        living, _ = await signs_of_life(self._backend.kv, AGENTS, self._clock.now_ms())
        return [AgentView(**sign) for sign in living]

    async def list(self, query: Query) -> WorkflowPage:
        """Return a page of workflows."""
        page = await self._backend.store.query(query)
        return WorkflowPage(rows=[await self._row(row) for row in page.rows], cursor=page.cursor)

    async def _row(self, stored: Stored) -> WorkflowRow:
        """Return a row; one that cannot be read says so and does not hide the others."""
        try:
            state = decode_state(stored.snapshot)
            compiled = await self._catalog.compiled(state.definition)
        except (NotFound, SnapshotUnreadable) as error:
            log.warning("row_unreadable", workflow_id=stored.workflow_id, error=str(error))
            return unreadable_row(stored)
        return row_view(state, compiled)

    async def log(
        self,
        workflow_id: str,
        which: Literal["steps", "notes"] = "steps",
        after: int = 0,
        limit: int = 1_000,
    ) -> LogPage:
        """Return logged steps (or notes) after number `after`; NotFound."""
        await self._live(workflow_id)
        records = await self._backend.store.log(workflow_id, which, after, limit)
        more = after + len(records) if len(records) == limit else None
        return LogPage(records=[orjson.loads(body) for body in records], after=more)

    async def definitions(self, name: str | None = None) -> Sequence[DefinitionView]:
        """Return registered definitions, oldest version first."""
        views = []
        for entry in await self._backend.registry.list("definition"):
            if name is not None and entry.name != name:
                continue
            compiled = await self._catalog.compiled(entry.hash)
            views.append(
                DefinitionView(
                    name=entry.name,
                    version=entry.version,
                    hash=entry.hash,
                    registered_at_ms=entry.registered_at_ms,
                    retired=entry.retired,
                    contracts_checked=bool(compiled.plan.definition.contracts),
                )
            )
        return views

    async def definition(self, reference: str) -> dict[str, Any]:
        """Return a definition's JSON by `NAME`, `NAME@VERSION` or hash; NotFound."""
        compiled = await self._catalog.compiled(await self._catalog.resolve(reference))
        body: dict[str, Any] = orjson.loads(compiled.plan.definition.canonical())
        return body

    async def system(self) -> SystemView:
        """Return health, counts, agents and lanes. Answers also when the backend does not."""
        return await system_view(self._backend, self._clock)

"""Joins commits that callers make at the same moment into one call to the store."""

from __future__ import annotations

import asyncio

from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import IWorkflowStore

BATCH = 256


class Committer:
    """While one call is under way, those who come wait together for the next."""

    def __init__(self, store: IWorkflowStore, clock: IClock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[tuple[Commit, asyncio.Future[Verdict]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def commit(self, commit: Commit) -> Verdict:
        """Commit together with whoever else comes now; the answer is this commit's own."""
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((commit, future))
        if self._flush is None:
            self._flush = asyncio.get_running_loop().create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._one_call(self._next())
        finally:
            self._flush = None

    def _next(self) -> list[tuple[Commit, asyncio.Future[Verdict]]]:
        """Take a batch that names each workflow once; what comes twice waits for the next call."""
        taken: dict[str, tuple[Commit, asyncio.Future[Verdict]]] = {}
        rest = []
        for item in self._waiting:
            if len(taken) < BATCH and item[0].workflow_id not in taken:
                taken[item[0].workflow_id] = item
            else:
                rest.append(item)
        self._waiting = rest
        return list(taken.values())

    async def _one_call(self, items: list[tuple[Commit, asyncio.Future[Verdict]]]) -> None:
        try:
            verdicts = await self._store.commit([c for c, _ in items], self._clock.now_ms())
        except BaseException as error:  # every caller must learn that the outcome is unknown
            for _, future in items:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), verdict in zip(items, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

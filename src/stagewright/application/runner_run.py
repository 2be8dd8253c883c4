"""One claimed task while it is in a runner's hands."""

from __future__ import annotations

import asyncio

from stagewright.application.context import AgentContext
from stagewright.application.runner_roster import Served
from stagewright.domain.envelope import StageResult
from stagewright.domain.ids import TaskId
from stagewright.ports.task import ClaimedTask, TaskLease

RunKey = tuple[str, int]
"""Task id and token: a task that was lost may come back while its first run still ends."""


class Run:
    """From the claim until its result is accepted or it is given up."""

    __slots__ = ("claimed", "context", "refused", "served", "started_at_ms", "task", "worker")

    def __init__(self, claimed: ClaimedTask, served: Served, now_ms: int) -> None:
        self.claimed, self.served = claimed, served
        self.task = TaskId.parse(claimed.task_id)
        self.started_at_ms = now_ms
        self.context: AgentContext | None = None
        self.worker: asyncio.Task[StageResult] | None = None
        self.refused: str | None = None
        """Why nobody wants the result any more."""

    @property
    def key(self) -> RunKey:
        """What it is known by."""
        return self.claimed.task_id, self.claimed.token

    @property
    def lease(self) -> TaskLease:
        """What proves the right to finish it."""
        return TaskLease(self.claimed.task_id, self.claimed.token)

    def refuse(self, reason: str) -> None:
        """Tell the agent that its result is not wanted; asynchronous ones are interrupted.

        A thread cannot be interrupted: it keeps its place until it looks at `ctx.cancelled`.
        """
        self.refused = self.refused or reason
        if self.context is not None:
            self.context.cancel()
        if self.served.agent.is_async or self.context is None:
            self.interrupt()

    def interrupt(self) -> None:
        """Stop waiting for the agent, in a thread or not."""
        if self.worker is not None:
            self.worker.cancel()

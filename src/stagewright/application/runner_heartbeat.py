"""Renews leases at a third of their time, and hears which are not held any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from stagewright.domain.errors import StagewrightError
from stagewright.ports.system import IClock
from stagewright.ports.task import TaskLease
from stagewright.ports.task_queue import ITaskQueue

log = structlog.get_logger(__name__)

BATCH = 256


class Heartbeat:
    """The duty itself, on whatever event loop it runs.

    `held` returns the leases of now and `refused` is told which were lost; both are called from
    that loop.
    """

    def __init__(
        self,
        held: Callable[[], Sequence[TaskLease]],
        refused: Callable[[TaskLease], None],
        lease_s: float,
    ) -> None:
        self._held, self._refused, self._lease_s = held, refused, lease_s

    @property
    def every_s(self) -> float:
        """Seconds between beats."""
        return self._lease_s / 3

    async def run(self, queue: ITaskQueue, clock: IClock) -> None:
        """Beat for ever. A beat that fails is made good by the next two."""
        while True:
            await clock.sleep(self.every_s)
            try:
                await self.beat(queue, clock, self._held())
            except StagewrightError as error:
                log.warning("heartbeat_failed", error=str(error))

    async def beat(self, queue: ITaskQueue, clock: IClock, leases: Sequence[TaskLease]) -> None:
        """Renew these leases."""
        for start in range(0, len(leases), BATCH):
            some = leases[start : start + BATCH]
            answers = await queue.extend(some, self._lease_s, clock.now_ms())
            for lease, expires_at_ms in zip(some, answers, strict=True):
                if expires_at_ms is None:
                    self._refused(lease)

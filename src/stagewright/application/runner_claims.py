"""Hands in results and claims tasks: one call for all that is ready, and for all that is free."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from stagewright.application.alarm import Alarm
from stagewright.application.batch import Wish
from stagewright.application.patience import FIRST_DELAY_S, MOST_DELAY_S, patiently
from stagewright.application.runner_handover import Handover
from stagewright.application.runner_roster import Roster, Served
from stagewright.application.runner_run import Run
from stagewright.domain.envelope import StageResult
from stagewright.domain.errors import StagewrightError
from stagewright.ports.system import IClock
from stagewright.ports.task import ClaimedTask, TaskLease
from stagewright.ports.task_queue import Claim, ITaskQueue

log = structlog.get_logger(__name__)

LOWEST_FIRST_EVERY = 16


class Claims:
    """The one who talks to the queue. While a call is under way, the next batch gathers."""

    def __init__(  # noqa: PLR0913 - the ports and settings it works with
        self,
        queue: ITaskQueue,
        handover: Handover,
        clock: IClock,
        roster: Roster,
        holder: str,
        *,
        lease_s: float,
        batch: int,
        start: Callable[[ClaimedTask], None],
        settled: Callable[[Run], None],
    ) -> None:
        self._queue, self._handover, self._clock, self._roster = queue, handover, clock, roster
        self._holder, self._lease_s, self._batch = holder, lease_s, batch
        self._start, self._settled = start, settled
        self._ready: list[tuple[Run, StageResult]] = []
        self._hungry = True
        self._unasked: frozenset[Served] = frozenset()
        """Agents that nothing was claimed for because they had no free place."""
        self._open = True
        self._calls = 0
        self._delay_s = 0.0
        self._alarm = Alarm(clock)
        self.at_rest = asyncio.Event()
        """Set while no call is under way and none is due."""
        self.found = False
        """Whether anything was claimed since somebody set this to False."""

    def hint(self) -> None:
        """There may be work."""
        self._hungry = True
        self._alarm.ring()

    def hand_in(self, run: Run, result: StageResult) -> None:
        """Hand in a result with the next call, and claim in its place if more may be waiting."""
        self._ready.append((run, result))
        if run.served in self._unasked or self._handover.queues:
            self._hungry = True
        self._alarm.ring()

    def close(self) -> None:
        """Claim nothing more; results are still handed in."""
        self._open = False

    async def run(self) -> None:
        """Call the queue whenever there is something to hand in, or to claim."""
        while True:
            self.at_rest.set()
            await self._alarm.wait()
            self.at_rest.clear()
            while self._ready or self._hungry:
                claim = self._claim() if self._hungry else None
                if claim is None and not self._ready:
                    break  # every place is taken; the next result claims in its place
                await self._exchange(claim)

    async def _exchange(self, claim: Claim | None) -> None:
        ready, self._ready = self._ready[: self._batch], self._ready[self._batch :]
        self._hungry = self._hungry and claim is None
        wish = None if claim is None else Wish(claim)
        try:
            await self._call(ready, wish)
        except StagewrightError as error:
            self._ready[:0] = ready
            self._hungry = True
            await self._take(wish)
            await self._back_off(error)
            return
        self._delay_s = 0.0
        for run, _ in ready:
            self._settled(run)
        await self._take(wish)

    def _claim(self) -> Claim | None:
        """What can be taken on now; None when every place is taken."""
        self._unasked = self._roster.full()
        wants = self._roster.wants(self._batch) if self._open else ()
        if not wants:
            return None
        lowest_first = self._calls % LOWEST_FIRST_EVERY == LOWEST_FIRST_EVERY - 1
        return Claim(self._holder, wants, self._lease_s, lowest_first)

    async def _call(self, ready: Sequence[tuple[Run, StageResult]], wish: Wish | None) -> None:
        """Hand in what is ready, and claim; in one call unless nothing came of the results."""
        self._calls += wish is not None
        if ready:
            await self._handover.hand_in([result for _, result in ready], wish)
        if wish is not None and wish.granted is None:
            wish.granted = await self._queue.claim(wish.claim, self._clock.now_ms())

    async def _take(self, wish: Wish | None) -> None:
        """Start what was claimed, or give it back when the runner was told to stop."""
        if wish is None or not wish.granted:
            return
        if not self._open:
            await self._give_back(wish.granted)
            return
        for task in wish.granted:
            self._start(task)
        self.found = True
        # A want that was met in full may not have been all there is.
        taken = Counter(task.lane for task in wish.granted)
        self._hungry = self._hungry or any(
            sum(taken[lane] for lane in want.lanes) >= want.slots for want in wish.claim.wants
        )

    async def _give_back(self, claimed: Sequence[ClaimedTask]) -> None:
        leases = [TaskLease(task.task_id, task.token) for task in claimed]
        release = partial(self._queue.release, leases, lost=False, now_ms=self._clock.now_ms())
        await patiently(self._clock, "giving tasks back", release)

    async def _back_off(self, error: StagewrightError) -> None:
        self._delay_s = min(max(self._delay_s * 2, FIRST_DELAY_S), MOST_DELAY_S)
        log.warning("queue_unreachable", retry_in_s=self._delay_s, error=str(error))
        await self._clock.sleep(self._delay_s)

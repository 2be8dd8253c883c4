"""Waits for tasks on behalf of many: one listener for all, and nothing asked while nothing comes.

Whoever waits is woken by the hint of a lane that it wants, the one that waited longest first; one
that finds work wakes the next, as there may be more. Hints may be lost, so now and then one for
each set of lanes looks without a hint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from stagewright.application.patience import FIRST_DELAY_S, MOST_DELAY_S, patiently
from stagewright.application.withdrawal import CANCEL
from stagewright.domain.errors import StagewrightError
from stagewright.ports.agent_desk import Hints, TooManyPolls
from stagewright.ports.message_bus import IMessageBus, Message, Topic
from stagewright.ports.system import IClock
from stagewright.ports.task import ClaimedTask, TaskLease
from stagewright.ports.task_queue import Claim, ITaskQueue

log = structlog.get_logger(__name__)

MOST_POLLS = 1_024
SWEEP_S = 2.0
LOWEST_FIRST_EVERY = 16
MOST_WITHDRAWN = 256


@dataclass(eq=False, slots=True)
class Waiter:
    """One poll."""

    lanes: frozenset[str]
    claims: bool
    """Whether it claims what it hears of; else it only tells."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    work: bool = False
    withdrawn: list[str] = field(default_factory=list)

    def wake(self) -> None:
        """There may be work."""
        self.work = True
        self.woken.set()


class Polls:
    """Claims for pollers. What a poller that went away would have got is given back."""

    def __init__(
        self, queue: ITaskQueue, bus: IMessageBus, clock: IClock, *, most: int = MOST_POLLS
    ) -> None:
        self._queue, self._bus, self._clock, self._most = queue, bus, clock, most
        self._waiting: dict[Waiter, None] = {}
        self._anyone = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def close(self) -> None:
        """Send everybody away; nobody waits any more."""
        self._closed = True
        for waiter in list(self._waiting):
            waiter.over = True
            waiter.woken.set()

    async def claim(self, claim: Claim, wait_s: float) -> Sequence[ClaimedTask]:
        """Return tasks as soon as there are some, or none after a while; TooManyPolls."""
        if wait_s <= 0 or self._closed:
            return await self._attempt(claim)
        waiter = Waiter(frozenset(lane for want in claim.wants for lane in want.lanes), claims=True)
        waiter.wake()
        return await self._wait(waiter, wait_s, partial(self._attempt, claim))

    async def hear(self, lanes: frozenset[str], wait_s: float) -> Hints:
        """Return what is heard of some lanes, or nothing after a while; TooManyPolls."""
        waiter = Waiter(lanes, claims=False)
        if wait_s > 0 and not self._closed:
            await self._wait(waiter, wait_s, self._nothing)
        return Hints(work=waiter.work, withdrawn=waiter.withdrawn)

    async def _nothing(self) -> Sequence[ClaimedTask]:
        return ()

    async def _wait(self, waiter: Waiter, wait_s: float, look: Any) -> Sequence[ClaimedTask]:
        if len(self._waiting) >= self._most:
            raise TooManyPolls(self._most, SWEEP_S)
        self._waiting[waiter] = None
        self._anyone.set()
        timer = asyncio.create_task(self._end_after(waiter, wait_s))
        try:
            return await self._watch(waiter, look)
        finally:
            timer.cancel()
            del self._waiting[waiter]
            if waiter.claims and waiter.work:  # it was told, and others were not
                self._wake(waiter.lanes)

    async def _watch(self, waiter: Waiter, look: Any) -> Sequence[ClaimedTask]:
        while True:
            await waiter.woken.wait()
            waiter.woken.clear()
            if waiter.over or not waiter.claims:
                return ()
            found: Sequence[ClaimedTask] = await look()
            if found:
                return found
            waiter.work = waiter.woken.is_set()

    async def _end_after(self, waiter: Waiter, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        waiter.over = True
        waiter.woken.set()

    # --- the queue -----------------------------------------------------------------------------

    async def _attempt(self, claim: Claim) -> Sequence[ClaimedTask]:
        """Claim once. Whoever is cancelled meanwhile does not stop the call, but gets nothing."""
        self._calls += 1
        lowest = self._calls % LOWEST_FIRST_EVERY == 0
        wish = Claim(claim.holder, claim.wants, claim.lease_s, lowest_first=lowest)
        call = asyncio.ensure_future(self._queue.claim(wish, self._clock.now_ms()))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            self._spawn(self._undo(call))
            raise

    async def _undo(self, call: asyncio.Future[Sequence[ClaimedTask]]) -> None:
        with suppress(StagewrightError):
            await self.give_back([TaskLease(one.task_id, one.token) for one in await call])

    async def give_back(self, leases: Sequence[TaskLease]) -> None:
        """Put tasks back that nobody was told of; they count as not lost."""
        if leases:
            release = partial(self._queue.release, leases, lost=False, now_ms=self._clock.now_ms())
            await patiently(self._clock, "giving tasks back", release)

    def give_back_soon(self, leases: Sequence[TaskLease]) -> None:
        """The same for whoever cannot wait."""
        self._spawn(self.give_back(leases))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait until what was promised to be given back is."""
        while self._background:
            await asyncio.wait(set(self._background))

    # --- hints ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen while somebody waits, for ever."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            await self._listen()
        finally:
            sweeping.cancel()

    async def _listen(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            await self._anyone.wait()
            try:
                async with self._bus.subscribe(Topic.WAKE) as messages:
                    self._wake_each()  # for what came before anyone listened
                    async for message in messages:
                        delay_s = FIRST_DELAY_S
                        self._heard(message)
                        if not self._waiting:
                            self._anyone.clear()
                            break
                continue
            except StagewrightError as error:
                log.warning("hints_not_heard", retry_in_s=delay_s, error=str(error))
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 2, MOST_DELAY_S)

    def _heard(self, message: Message) -> None:
        if message.body != CANCEL:
            self._wake(frozenset({message.body.decode("utf-8", "replace")}))
            return
        for waiter in self._waiting:
            if not waiter.claims and len(waiter.withdrawn) < MOST_WITHDRAWN:
                waiter.withdrawn.append(message.workflow_id)
                waiter.woken.set()

    def _wake(self, lanes: frozenset[str]) -> None:
        """Wake who only listens, and of those who claim the one that waited longest."""
        claiming = None
        for waiter in self._waiting:
            if waiter.lanes.isdisjoint(lanes):
                continue
            if not waiter.claims:
                waiter.wake()
            elif claiming is None and not waiter.woken.is_set():
                claiming = waiter
        if claiming is not None:
            claiming.wake()

    async def _sweep(self) -> None:
        while True:
            await self._anyone.wait()
            await self._clock.sleep(SWEEP_S)
            if not self._waiting:
                self._anyone.clear()
            self._wake_each()

    def _wake_each(self) -> None:
        """Wake one for each set of lanes: whoever finds something wakes the next."""
        for lanes in {waiter.lanes for waiter in self._waiting if waiter.claims}:
            for waiter in self._waiting:
                if waiter.claims and waiter.lanes == lanes:
                    waiter.wake()
                    break

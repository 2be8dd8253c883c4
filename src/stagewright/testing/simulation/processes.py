"""The processes of a simulation: they live, are killed, and live again with empty memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import Crash, Process
from stagewright.testing.simulation.records import Records

LONGEST_DEATH_S = 8.0


class ProcessClock:
    """The clock of one process: it may be wrong, and it stands still while the process does."""

    def __init__(self, clock: VirtualClock, process: Process, skew_ms: int) -> None:
        self._clock, self._process, self.skew_ms = clock, process, skew_ms

    def now_ms(self) -> int:
        """Return what the process takes for the time."""
        return self._clock.now_ms() + self.skew_ms

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic_s()

    async def sleep(self, delay_s: float) -> None:
        """Sleep, and longer when the process is stopped."""
        await self._clock.sleep(delay_s)
        if not self._process.awake.is_set():
            await self._process.awake.wait()


@dataclass(frozen=True, slots=True)
class Life:
    """What one life of a process has: ports that may fail, and a clock of its own."""

    process: Process
    backend: Backend
    clock: ProcessClock


Lived = Callable[[Life], Awaitable[None]]


class Neighbours:
    """IProcesses of one host: each life has a name, and all see which lives are over."""

    def __init__(self, life: Life, all_: dict[str, Process], records: Records) -> None:
        self._name, self._all, self._records = f"{life.process.name}/{len(all_)}", all_, records
        all_[self._name] = life.process

    def mine(self) -> str:
        """Return the name of this life."""
        return self._name

    def ended(self, process: str) -> bool:
        """Whether a life is over."""
        over = process in self._all and not self._all[process].alive
        self._records.fact("an orchestrator was seen to have ended", over)
        return over


class Supervisor:
    """Starts processes again when they died, until it is told to end them all."""

    def __init__(
        self,
        clock: VirtualClock,
        chance: random.Random,
        records: Records,
        opened: Callable[[Process], AsyncIterator[Life]],
        broken: Callable[[str], None],
    ) -> None:
        self._clock, self._chance, self._records = clock, chance, records
        self._opened, self._broken = asynccontextmanager(opened), broken
        self._watches: dict[str, asyncio.Task[None]] = {}
        self.lives: dict[str, Life] = {}
        """The newest life of each process."""

    def begin(self, name: str, lived: Lived) -> None:
        """Start a process that lives until its work is done."""
        self._watches[name] = asyncio.create_task(self._watch(name, lived))

    def done(self, name: str) -> bool:
        """Whether a process came to an end of its own."""
        return self._watches[name].done()

    async def _watch(self, name: str, lived: Lived) -> None:
        while not await self._live(Process(name), lived):
            self._records.fact("a process was started again")
            death_s = round(self._chance.uniform(0.0, LONGEST_DEATH_S), 3)
            await self._clock.sleep(death_s)
            self._records.tell(name, f"starts again after {death_s:g} s")

    async def _live(self, process: Process, lived: Lived) -> bool:
        """Live one life; whether it came to an end of its own."""
        async with self._opened(process) as life:
            self.lives[process.name] = life
            task = asyncio.ensure_future(lived(life))
            process.killed = partial(_kill, task)
            try:
                await asyncio.wait({task})
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
            return self._ended_well(process, task)

    def _ended_well(self, process: Process, task: asyncio.Future[None]) -> bool:
        error = None if task.cancelled() else task.exception()
        if process.alive and error is not None and not _expected(error):
            self._records.tell(process.name, f"broke: {error!r}")
            self._broken(f"{process.name} broke: {_innermost(error)!r}")
        return process.alive and error is None and not task.cancelled()

    async def end(self) -> None:
        """End all processes in order."""
        for watch in self._watches.values():
            watch.cancel()
        for watch in self._watches.values():
            with suppress(asyncio.CancelledError):
                await watch


def _kill(task: asyncio.Future[None]) -> None:
    task.cancel()


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _expected(error: BaseException) -> bool:
    """A backend that did not answer, or a kill, ends a process; anything else is a defect."""
    if isinstance(error, BaseExceptionGroup):
        return all(_expected(one) for one in error.exceptions)
    return isinstance(error, Crash | StagewrightError)

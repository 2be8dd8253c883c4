"""An event loop in virtual time: when nothing is ready, time jumps to the next instant.

Whatever waits on it waits in virtual time: sleepers of its VirtualClock, and `asyncio.sleep`,
`asyncio.timeout` and anyio's cancel scopes too. Nothing waits for the machine, so a run is as fast
as its code, and the same from one time to the next. While threads of `asyncio.to_thread` work, time
passes as fast as it really does.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from stagewright.domain.errors import StagewrightError
from stagewright.testing.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_ROUNDS = 50_000
"""So often the loop may go round at one instant: who needs more is spinning."""
_REAL_WAIT_S = 0.005


class Stuck(StagewrightError):
    """Nothing can go on: all wait for something that will never come, or somebody spins."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.Runner(loop_factory=lambda: VirtualLoop(clock))` runs a program in virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.threads = 0
        super().__init__(_Idle(self))

    def time(self) -> float:
        """Return the virtual seconds since the clock was made."""
        return self.clock.monotonic_s()

    def jump(self, timeout_s: float | None) -> None:
        """Let time pass until the next instant at which somebody wants to go on."""
        instants = [] if self.clock.next_wake_ms is None else [self.clock.next_wake_ms]
        if timeout_s is not None:
            # Some time passes always: a timer that is due but for a rounding error of its instant
            # would set itself again for ever.
            delay_ms = max(1, math.ceil(timeout_s * 1_000 - 1e-6))
            instants.append(self.clock.now_ms() + delay_ms)
        if not instants:
            raise Stuck("everything waits, and nothing will ever come")
        self.clock.set_ms(min(instants))

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread, and let time pass as it really does meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    async def shutdown_default_executor(self) -> None:
        """Wait for the threads, which end in real time."""
        self.threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.threads -= 1

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self.threads -= 1


class _Idle(selectors.DefaultSelector):
    """Asked what happened outside, it lets virtual time pass instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            self._rounds += 1
            if self._rounds > MOST_ROUNDS:
                raise Stuck(f"somebody spins: {MOST_ROUNDS} rounds, and no time has passed")
            return super().select(0) if self._loop.threads else []
        self._rounds = 0
        if self._loop.threads:
            return self._really(timeout)
        self._loop.jump(timeout)
        return []

    def _really(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        events = super().select(min(_REAL_WAIT_S, timeout or _REAL_WAIT_S))
        clock = self._loop.clock
        clock.set_ms(clock.now_ms() + math.ceil((time.monotonic() - began) * 1_000))
        return events


def run_virtually(clock: VirtualClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a program to its end in virtual time; also from within a running event loop."""

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            return runner.run(main())

    if not _inside_a_loop():
        return run()
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(run).result()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

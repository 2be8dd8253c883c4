"""Interrupts agents at their deadline, when their lease cannot be renewed any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stagewright.application.alarm import Alarm
from stagewright.application.runner_run import Run
from stagewright.ports.system import IClock


class Deadlines:
    """Watches the earliest deadline of those who run.

    Nothing is kept per task: those who run are few, and most end long before their deadline.
    """

    def __init__(self, clock: IClock, runs: Callable[[], Iterable[Run]]) -> None:
        self._clock, self._runs = clock, runs
        self._alarm = Alarm(clock)
        self._armed_ms: int | None = None

    def watch(self, run: Run) -> None:
        """Know of one more task."""
        if self._armed_ms is None or run.claimed.deadline_at_ms < self._armed_ms:
            self._armed_ms = run.claimed.deadline_at_ms
            self._alarm.ring()

    async def run(self) -> None:
        """Refuse each task whose deadline has come; its outcome is the orchestrator's to tell."""
        while True:
            now_ms = self._clock.now_ms()
            for run in list(self._runs()):
                if run.claimed.deadline_at_ms <= now_ms:
                    run.refuse("its time is up")
            waiting = [r.claimed.deadline_at_ms for r in self._runs() if r.refused is None]
            self._armed_ms = min(waiting, default=None)
            delay_s = None if self._armed_ms is None else (self._armed_ms - now_ms) / 1000
            await self._alarm.wait(delay_s)

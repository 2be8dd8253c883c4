"""Whether this process makes progress: not that it listens, but that it gets round to things."""

from __future__ import annotations

import asyncio
from typing import Protocol

from stagewright.domain.errors import StagewrightError
from stagewright.ports.backend import Backend
from stagewright.ports.readiness import Check, ReadyView
from stagewright.ports.system import IClock

ANSWER_S = 2.0
"""A store that takes longer to answer is not reachable."""
FRESH_S = 1.0


class Progressing(Protocol):
    """An orchestrator, as far as its progress goes."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions it owns."""
        ...

    @property
    def silent_s(self) -> float:
        """How long the slowest of its consumers has not come round."""
        ...

    @property
    def patience_s(self) -> float:
        """How long a consumer may take."""
        ...


class Readiness:
    """Implements `IReadiness` over a backend and the orchestrators of this process."""

    def __init__(self, backend: Backend, clock: IClock) -> None:
        self._backend, self._clock = backend, clock
        self._watched: list[Progressing] = []
        self._known: tuple[float, ReadyView] | None = None
        self._asking = asyncio.Lock()

    def watch(self, orchestrator: Progressing) -> None:
        """Expect progress of an orchestrator from now on."""
        self._watched.append(orchestrator)
        self._known = None

    def forget(self, orchestrator: Progressing) -> None:
        """Expect nothing of it any more."""
        self._watched.remove(orchestrator)
        self._known = None

    async def look(self) -> ReadyView:
        """Return what was found, at most a second ago: many may ask, the store is asked once."""
        async with self._asking:
            now_s = self._clock.monotonic_s()
            if self._known is None or now_s - self._known[0] >= FRESH_S:
                checks = [await self._store(), *map(_progress, self._watched)]
                view = ReadyView(ready=all(check.ok for check in checks), checks=checks)
                self._known = (now_s, view)
            return self._known[1]

    async def _store(self) -> Check:
        try:
            async with asyncio.timeout(ANSWER_S):
                health = await self._backend.store.health()
        except (StagewrightError, TimeoutError):
            return Check(check="store", ok=False, detail="it does not answer")
        if not health.ok:
            return Check(check="store", ok=False, detail="it does not answer")
        if health.refusing:
            return Check(check="store", ok=False, detail="it refuses changes")
        return Check(check="store", ok=True)


def _progress(orchestrator: Progressing) -> Check:
    """Look at one orchestrator. One that owns nothing stands by for the others: that is fine."""
    late_s = orchestrator.silent_s
    ok = late_s <= orchestrator.patience_s
    owned = len(orchestrator.partitions)
    detail = f"owns {owned} partition{'' if owned == 1 else 's'}"
    if not ok:
        detail += f", has not come round for {late_s:.0f} s"
    return Check(check="orchestrator", ok=ok, detail=detail)

"""Asks for work now and then, because hints may be lost."""

from __future__ import annotations

from stagewright.application.runner_claims import Claims
from stagewright.ports.system import IClock, IRandom

SLOWER = 1.5
SPREAD = 0.2
"""Runners that were started together must not ask together."""


class Sweeps:
    """Slower while there is nothing to be found."""

    def __init__(
        self, claims: Claims, clock: IClock, randomness: IRandom, *, first_s: float, most_s: float
    ) -> None:
        self._claims, self._clock, self._random = claims, clock, randomness
        self._first_s, self._most_s = first_s, most_s

    async def run(self) -> None:
        """Sweep for ever."""
        delay_s = self._first_s
        while True:
            await self._clock.sleep(delay_s * (1 + SPREAD * (self._random.random() - 0.5)))
            delay_s = self._first_s if self._claims.found else min(delay_s * SLOWER, self._most_s)
            self._claims.found = False
            self._claims.hint()

"""How often to look, and how long to bear silence."""

from __future__ import annotations

import sys
import time

import anyio

SOONEST_S, LATEST_S = 0.005, 0.25
SHARE = 0.1
"""A look comes after a tenth of the time waited so far: the delay it adds stays small."""
SILENCE_S = 15.0


class Patience:
    """Measures one wait. `bear` re-raises the error being handled once silence has lasted."""

    def __init__(self, timeout_s: float | None) -> None:
        self._begin = self._heard = time.monotonic()
        self._end = None if timeout_s is None else self._begin + timeout_s

    @property
    def over(self) -> bool:
        """Whether the time allowed is used up."""
        return self._end is not None and time.monotonic() >= self._end

    def left(self, most_s: float) -> float:
        """Return how long may still be waited, at most `most_s`."""
        return most_s if self._end is None else min(most_s, max(0.0, self._end - time.monotonic()))

    def answered(self) -> None:
        """Note that the other side is there."""
        self._heard = time.monotonic()

    def bear(self) -> None:
        """Bear one error, or raise it again after `SILENCE_S` without an answer."""
        now = time.monotonic()
        error = sys.exception()
        if error is not None and (now - self._heard > SILENCE_S or self.over):
            raise error

    async def pause(self) -> None:
        """Sleep until the next look, at most until the end."""
        now = time.monotonic()
        delay_s = min(LATEST_S, max(SOONEST_S, SHARE * (now - self._begin)))
        if self._end is not None:
            delay_s = min(delay_s, max(0.0, self._end - now))
        await anyio.sleep(delay_s)

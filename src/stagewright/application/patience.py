"""Calls that may be repeated until the backend is back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from stagewright.domain.errors import Unreachable
from stagewright.ports.system import IClock

log = structlog.get_logger(__name__)

T = TypeVar("T")

FIRST_DELAY_S = 0.5
MOST_DELAY_S = 10.0


async def patiently(clock: IClock, what: str, call: Callable[[], Awaitable[T]]) -> T:
    """Return what `call` returns, trying again while the backend does not answer.

    For calls that are safe to repeat, by someone who is cancelled when it has become pointless.
    """
    delay_s = FIRST_DELAY_S
    while True:
        try:
            return await call()
        except Unreachable as error:
            log.warning("backend_unreachable", doing=what, retry_in_s=delay_s, error=str(error))
        await clock.sleep(delay_s)
        delay_s = min(delay_s * 2, MOST_DELAY_S)

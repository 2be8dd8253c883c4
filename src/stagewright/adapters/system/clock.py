"""The machine's clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time, monotonic time and sleep of this machine."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch (UTC)."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Sleep for so many seconds."""
        await asyncio.sleep(delay_s)

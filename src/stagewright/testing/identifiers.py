"""Ids that are the same in every run."""

from __future__ import annotations

import base64
import random

from stagewright.ports.system import IClock


class SeededIdentifiers:
    """Unique within one seed; `uuid7` carries the clock's time, so it sorts as real ones do."""

    def __init__(self, seed: int = 0, clock: IClock | None = None) -> None:
        self._random = random.Random(f"identifiers {seed}")  # noqa: S311  # repeatable by intent
        self._clock = clock
        self._count = 0

    def uuid7(self) -> str:
        """Return a UUIDv7 as 32 hex digits: time, then a count, then chance."""
        self._count += 1
        now_ms = self._clock.now_ms() if self._clock else 0
        tail = self._random.getrandbits(48)
        count = self._count
        return f"{now_ms:012x}7{count >> 12 & 0xFFF:03x}8{count & 0xFFF:03x}{tail:012x}"

    def short(self) -> str:
        """Return 16 hex digits: a count, then chance."""
        self._count += 1
        return f"{self._count:08x}{self._random.getrandbits(32):08x}"

    def secret(self) -> str:
        """Return 43 letters, digits, dashes and underscores: chance alone."""
        return base64.urlsafe_b64encode(self._random.randbytes(32)).decode().rstrip("=")

"""Randomness from the machine."""

from __future__ import annotations

import random


class SystemRandom:
    """A generator of its own, seeded by the machine."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311  # spreads load; guards nothing

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self._random.random()

"""Randomness that is the same in every run."""

from __future__ import annotations

import random


class SeededRandom:
    """The same floats for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  # repeatable by intent

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self._random.random()

"""How a figure grows: the exponent of a power law, fitted by least squares on logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exponent(dots: Sequence[tuple[float, float]]) -> float:
    """Return b of `figure = a * size ** b`: 0 is flat, 1 proportional; NaN below two sizes."""
    logs = [(math.log(x), math.log(y)) for x, y in dots if x > 0 and y > 0]
    if len({x for x, _ in logs}) < 2:
        return math.nan
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    across = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / across

"""Small line charts as SVG, logarithmic on both axes, without any library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Dots = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 26, 36
COLOURS = {"redis": "#b3402e", "sqlite": "#2e62a3", "memory": "#4d7c3a"}
OTHER_COLOUR = "#666666"


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: what stands above it and below it, and a line of dots for each name."""

    title: str
    below: str
    lines: Mapping[str, Dots]


def svg(rows: Sequence[Sequence[Panel]]) -> str:
    """Return a picture with the panels in rows, and one legend."""
    names = sorted({name for row in rows for panel in row for name in panel.lines})
    width = WIDTH * max(len(row) for row in rows)
    height = HEIGHT * len(rows) + 24
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">'
    )
    body = [head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            moved = f"translate({place * WIDTH} {number * HEIGHT})"
            body.append(f'<g transform="{moved}">{_panel(panel)}</g>')
    return "\n".join([*body, _legend(names, height - 8), "</svg>"]) + "\n"


def _panel(panel: Panel) -> str:
    dots = [dot for line in panel.lines.values() for dot in line]
    if not dots:
        return ""
    across = _Axis([x for x, _ in dots], LEFT, WIDTH - RIGHT)
    up = _Axis([y for _, y in dots], HEIGHT - BOTTOM, TOP, least_decades=2)
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>']
    parts += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
        f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{_short(value)}</text>'
        for value, y in up.ticks()
    ]
    parts += [
        f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 13}" text-anchor="middle">{_short(value)}</text>'
        for value, x in across.ticks()
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = escape(panel.below)
    parts.append(f'<text x="{middle}" y="{HEIGHT - 9}" text-anchor="middle">{label}</text>')
    parts += [_line(line, across, up, _colour(name)) for name, line in panel.lines.items()]
    return "".join(parts)


def _line(dots: Dots, across: _Axis, up: _Axis, colour: str) -> str:
    places = [(across.place(x), up.place(y)) for x, y in dots]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    return f'{drawn}<g fill="{colour}">{marks}</g>'


def _legend(names: Sequence[str], y: float) -> str:
    parts = [
        f'<rect x="{LEFT + 90 * n}" y="{y - 8}" width="9" height="9" fill="{_colour(name)}"/>'
        f'<text x="{LEFT + 90 * n + 13}" y="{y}">{escape(name)}</text>'
        for n, name in enumerate(names)
    ]
    return "".join(parts)


def _colour(name: str) -> str:
    return COLOURS.get(name, OTHER_COLOUR)


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


class _Axis:
    """Whole decades from the least value to the greatest, laid out between two places."""

    def __init__(
        self, values: Sequence[float], begin: float, end: float, least_decades: int = 1
    ) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + least_decades)
        self._begin, self._end = begin, end

    def place(self, value: float) -> float:
        """Return where a value lies."""
        part = (math.log10(value) - self._low) / (self._high - self._low)
        return self._begin + part * (self._end - self._begin)

    def ticks(self) -> list[tuple[float, float]]:
        """Return each decade with its place."""
        decades = [10.0**power for power in range(self._low, self._high + 1)]
        return [(value, self.place(value)) for value in decades]

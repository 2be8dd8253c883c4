"""What changed between two outputs, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

MOST_LINES = 4_000
"""Of each side: comparing more takes longer than anybody reads."""
_AROUND = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `sign` is `+`, `-`, a blank, or `@` where lines are left out."""

    sign: str
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    """Lines with their numbers, and how many were added and removed."""

    lines: Sequence[Line]
    added: int
    removed: int
    cut: bool = False


def diff_of(before: str, after: str) -> Diff:
    """Return the difference, with three lines around each change."""
    old, new = before.splitlines(), after.splitlines()
    cut = max(len(old), len(new)) > MOST_LINES
    old, new = old[:MOST_LINES], new[:MOST_LINES]
    lines = list[Line]()
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for index, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if index or group[0][1]:
            lines.append(Line("@", f"line {group[0][3] + 1}"))
        for code in group:
            lines += _lines(code, old, new)
    added = sum(line.sign == "+" for line in lines)
    removed = sum(line.sign == "-" for line in lines)
    return Diff(lines, added, removed, cut)


def _lines(
    code: tuple[str, int, int, int, int], old: Sequence[str], new: Sequence[str]
) -> list[Line]:
    kind, a, b, c, d = code
    if kind == "equal":
        return [Line(" ", old[a + n], a + n + 1, c + n + 1) for n in range(b - a)]
    gone = [Line("-", old[n], n + 1, None) for n in range(a, b)]
    return gone + [Line("+", new[n], None, n + 1) for n in range(c, d)]

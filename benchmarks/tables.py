"""Tables for the terminal and for Markdown, and the pages that carry them between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Cells = Sequence[str]


def markdown(head: Cells, rows: Sequence[Cells]) -> str:
    """Return a table for a page."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(head: Cells, rows: Sequence[Cells]) -> str:
    """Return a table for a terminal, columns aligned."""
    widths = [max(len(line[n]) for line in [head, *rows]) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *rows]
    )


def replace_between(page: Path, mark: str, text: str) -> None:
    """Put `text` between the two marks of that name in a page; raises ValueError without them."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    old = page.read_text("utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        raise ValueError(f"{page.name} does not have the marks {begin} and {end} once each")
    head, _, rest = old.partition(begin)
    page.write_text(f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def figure(value: float, digits: int = 0) -> str:
    """Return a figure with thousands apart; a dash for what was not measured."""
    return "-" if value != value else f"{value:,.{digits}f}"  # noqa: PLR0124 - NaN is not itself

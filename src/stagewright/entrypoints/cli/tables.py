"""Tables that fit: what matters least gives way, and what is copied is never cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    Cell = str | Text

_GAP = 2
_FOLDED = 12
"""The narrowest a column that folds is made before others go."""


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    console: Console,
    *,
    fold: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Table:
    """Return a table for a console. Columns in `fold` wrap; those in `drop` go, the first first."""
    from rich.table import Table

    widths = {name: _width(name, index, rows, fold) for index, name in enumerate(columns)}
    kept = _kept(columns, widths, console.width if console.is_terminal else None, drop)
    grid = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for name in kept:
        folds = name in fold
        grid.add_column(
            name,
            no_wrap=not folds,
            overflow="fold",
            min_width=None if folds else widths[name],
        )
    places = [columns.index(name) for name in kept]
    for row in rows:
        grid.add_row(*(_plain(row[place]) for place in places))
    return grid


def _plain(cell: Cell) -> Text:
    """Text as it is: what agents and strangers wrote is not markup."""
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else cell


def _width(name: str, index: int, rows: Sequence[Sequence[Cell]], fold: Sequence[str]) -> int:
    from rich.cells import cell_len

    natural = max(map(cell_len, [name, *(str(row[index]) for row in rows)]))
    return min(natural, _FOLDED) if name in fold else natural


def _kept(
    columns: Sequence[str], widths: dict[str, int], limit: int | None, drop: Sequence[str]
) -> list[str]:
    kept = list(columns)
    for name in drop:
        if limit is None or sum(widths[one] + _GAP for one in kept) - _GAP <= limit:
            break
        kept.remove(name)
    return kept

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stagewright.entrypoints.cli.tables import table

COLUMNS = ("ID", "NAME", "REASON", "WHEN")
ROWS = [("p01-0123456789", "release", "a reason of some length", "3 s ago")]


def printed(width: int, *, terminal: bool = True) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None)
    console.print(table(COLUMNS, ROWS, console, fold=("REASON",), drop=("WHEN", "NAME")))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_wide_table_has_every_column_on_one_line() -> None:
    head, row = printed(80)
    assert head.split() == list(COLUMNS)
    assert row == "p01-0123456789  release  a reason of some length  3 s ago"


def test_a_narrow_table_folds_first_and_then_drops_what_matters_least() -> None:
    assert printed(50)[0].split() == list(COLUMNS)
    assert len(printed(50)) > 2
    assert printed(30)[0].split() == ["ID", "REASON"]


@pytest.mark.parametrize("width", [80, 50, 30, 16])
def test_what_is_copied_is_never_cut(width: int) -> None:
    assert "p01-0123456789" in "\n".join(printed(width))


def test_a_pipe_gets_all_of_it() -> None:
    assert printed(500, terminal=False)[1].endswith("3 s ago")


def test_what_strangers_wrote_is_no_markup() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    console.print(table(("REASON",), [("[bold]not[/wrong] markup",)], console))
    assert "[bold]not[/wrong] markup" in stream.getvalue()

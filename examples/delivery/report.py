"""The table that closes a run: stages, rounds, durations, outcomes, artifacts and the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

GOOD = frozenset({"ok", "completed"})
COLUMNS = ("stage", "round", "outcome", "seconds", "artifacts", "note")
NUMBERS = frozenset({"round", "seconds"})
PENDING = frozenset({"running", "waiting", "paused", "-"})


def report(
    title: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    status: str,
    address: str | None = None,
    reason: str | None = None,
) -> RenderableType:
    """Render what a run came to.

    Each row is one visit of a stage: `{stage, round, outcome, duration_s, artifacts, note}`, all
    but `stage` optional. `status` is the workflow's; `reason` says why it did not complete.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in COLUMNS:
        table.add_column(
            name, justify="right" if name in NUMBERS else "left", no_wrap=name != "note"
        )
    for row in rows:
        table.add_row(*_cells(row))
    return Group(table, *_closing(status, address, reason))


def show(console: Console, title: str, rows: Sequence[Mapping[str, Any]], **facts: Any) -> None:
    """Print the report on `console`."""
    console.print(report(title, rows, **facts))


def _cells(row: Mapping[str, Any]) -> list[Text]:
    duration = row.get("duration_s")
    return [
        Text(str(row["stage"])),
        Text(str(row.get("round", 1))),
        _outcome(str(row.get("outcome") or "-")),
        Text("-" if duration is None else f"{duration:.1f}"),
        Text(", ".join(row.get("artifacts") or ()) or "-"),
        Text(str(row.get("note") or "")),
    ]


def _outcome(outcome: str) -> Text:
    if outcome in GOOD:
        return Text(outcome, style="green")
    if outcome in PENDING:
        return Text(outcome, style="dim")
    return Text(outcome, style="yellow" if outcome == "rework" else "red")


def _closing(status: str, address: str | None, reason: str | None) -> Iterable[Text]:
    yield Text.assemble("The delivery is ", _outcome(status), f": {reason}" if reason else ".")
    if address:
        yield Text.assemble(
            "The service answers at ", (address, "bold cyan"), f", try {address}/health"
        )

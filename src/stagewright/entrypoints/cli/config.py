"""`stagewright config`: what holds, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict

import typer

from stagewright.entrypoints.cli.flags import AsJson, Url, load
from stagewright.entrypoints.cli.groups import Group

app = typer.Typer(cls=Group, no_args_is_help=True, help="Show the settings.")


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own, so that others can stand beside it."""


@app.command()
def show(url: Url = None, as_json: AsJson = False) -> None:
    """Print every setting, its value and where it comes from."""
    from rich.text import Text

    from stagewright.entrypoints.cli.output import out, print_json, table

    origins = load(url=url).origins()
    if as_json:
        print_json([asdict(origin) for origin in origins])
        return
    grid = table("SETTING", "VALUE", "SOURCE", fold=("VALUE", "SOURCE"))
    for origin in origins:
        style = "dim" if origin.source == "default" else ""
        value = "" if origin.value is None else str(origin.value)
        grid.add_row(origin.name, Text(value), Text(origin.source), style=style)
    out().print(grid)

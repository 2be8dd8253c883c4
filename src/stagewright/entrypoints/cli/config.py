"""`stagewright config`: what holds, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from stagewright.entrypoints.cli.flags import AsJson, Url, load
from stagewright.entrypoints.cli.groups import Group

if TYPE_CHECKING:
    from stagewright.entrypoints.settings import Origin

app = typer.Typer(cls=Group, no_args_is_help=True, help="Show the settings.")


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own, so that others can stand beside it."""


@app.command()
def show(url: Url = None, as_json: AsJson = False) -> None:
    """Print every setting, its value and where it comes from."""
    from rich.text import Text

    from stagewright.entrypoints.cli.output import print_json, print_table

    origins = load(url=url).origins()
    if as_json:
        print_json([asdict(origin) for origin in origins])
        return
    rows = [
        [Text(text, style="dim" if one.source == "default" else "") for text in _texts(one)]
        for one in origins
    ]
    print_table(("SETTING", "VALUE", "SOURCE"), rows, fold=("VALUE", "SOURCE"))


def _texts(origin: Origin) -> tuple[str, str, str]:
    value = "" if origin.value is None else str(origin.value)
    return origin.name, value, origin.source

"""`stagewright workflow`: start, look at and steer workflows."""

from __future__ import annotations

import typer

from stagewright.entrypoints.cli import (
    workflow_bulk,
    workflow_commands,
    workflow_start,
    workflow_views,
)
from stagewright.entrypoints.cli.groups import Group

app = typer.Typer(cls=Group, no_args_is_help=True, help="Start, look at and steer workflows.")

app.command()(workflow_start.start)
app.command("list")(workflow_views.page)
app.command()(workflow_views.show)
app.command()(workflow_views.watch)
app.command()(workflow_views.explain)
app.command()(workflow_views.log)
app.command()(workflow_commands.pause)
app.command()(workflow_commands.resume)
app.command()(workflow_commands.cancel)
app.command()(workflow_commands.retry)
app.command()(workflow_commands.signal)
app.command()(workflow_commands.approve)
app.command()(workflow_commands.reject)
app.command()(workflow_bulk.bulk)
app.command()(workflow_views.replay)

"""The commands, and what stands before all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from stagewright.entrypoints.cli import (
    agents,
    approvals,
    audit,
    bench,
    config,
    dead_letters,
    definitions,
    dev,
    doctor,
    events,
    keys,
    mcp,
    new,
    serve,
    workflows,
)
from stagewright.entrypoints.cli.groups import Group

BUILD, RUN, OPERATE = "Build", "Run", "Look and steer"

ORDER = (
    "new", "dev", "definition", "serve", "agent", "mcp", "workflow", "events", "approvals",
    "dead-letter", "key", "audit", "doctor", "config", "bench",
)  # fmt: skip
"""How help lists the commands: in the order in which they are met."""


class _Root(Group):
    def list_commands(self, ctx: object) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return sorted(self.commands, key=ORDER.index)


app = typer.Typer(
    cls=_Root,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local values, which may be secret
    rich_markup_mode="rich",
    help="Durable multi-agent workflows.",
    epilog="Exit codes: 0 ok, 1 workflow failed, 2 usage, 3 not found, 4 conflict, 5 validation, "
    "6 unreachable, 7 timed out, 8 not allowed.",
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        from importlib.metadata import version

        typer.echo(version("stagewright"))
        raise typer.Exit


@app.callback()
def before(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take no other options here: typer would load pydantic to read them, also for `--help`."""


app.command(rich_help_panel=BUILD)(new.new)
app.command(rich_help_panel=BUILD)(dev.dev)
app.add_typer(definitions.app, name="definition", rich_help_panel=BUILD)
app.command(rich_help_panel=RUN)(serve.serve)
app.command(rich_help_panel=RUN)(mcp.mcp)
app.add_typer(agents.app, name="agent", rich_help_panel=RUN)
app.add_typer(workflows.app, name="workflow", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(approvals.approvals)
app.command(rich_help_panel=OPERATE)(events.events)
app.add_typer(dead_letters.app, name="dead-letter", rich_help_panel=OPERATE)
app.add_typer(keys.app, name="key", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(audit.audit)
app.command(rich_help_panel=OPERATE)(doctor.doctor)
app.command(rich_help_panel=OPERATE)(bench.bench)
app.add_typer(config.app, name="config", rich_help_panel=OPERATE)

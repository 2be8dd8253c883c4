"""`stagewright approvals`: what waits for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, Url

if TYPE_CHECKING:
    from stagewright.ports.details import ApprovalPage


def approvals(
    by: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="NAME", help="Only what this person may decide, and has not."
        ),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A group this person belongs to; may be repeated.")
    ] = None,
    definition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this definition.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Workflows.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Continue a list.", show_default=False)] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for approval: of whom, since when, and who has decided."""
    from stagewright.entrypoints.cli.output import print_json

    found = ask(
        url,
        lambda client: client.approvals(
            by=by, groups=group or (), definition=definition, cursor=cursor, limit=limit
        ),
    )
    print_json(found) if as_json else _print(found)


def _print(page: ApprovalPage) -> None:
    from stagewright.entrypoints.cli.output import print_table, say
    from stagewright.entrypoints.cli.words import ago

    rows = [
        (
            one.workflow_id,
            one.title or one.name,
            one.stage,
            f"{one.missing} of {', '.join(one.approvers)}",
            ago(one.since_ms),
        )
        for one in page.approvals
    ]
    if rows:
        columns = ("ID", "WORKFLOW", "STAGE", "WAITS FOR", "SINCE")
        print_table(columns, rows, fold=("WAITS FOR",), drop=("SINCE", "WORKFLOW"))
        say("stagewright workflow approve ID --stage STAGE --as NAME", style="dim")
    else:
        say("Nothing waits for approval.")
    if page.cursor:
        say(f"More: --cursor {page.cursor}")

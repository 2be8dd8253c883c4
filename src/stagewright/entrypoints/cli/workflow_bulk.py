"""`stagewright workflow bulk`: one action on many workflows."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.documents import pair_of, read_json
from stagewright.entrypoints.cli.flags import AsJson, By, Url, user
from stagewright.entrypoints.cli.workflow_views import (
    Labels,
    OfDefinition,
    Statuses,
    Text,
    Waits,
)

if TYPE_CHECKING:
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.bulk import BulkView


class ActionName(enum.StrEnum):
    """What can be done to many."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    SIGNAL = "signal"
    APPROVE = "approve"
    REJECT = "reject"


def bulk(
    action: Annotated[ActionName, typer.Argument(help="What to do.", show_default=False)],
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID...]", help="Workflows; else by filter.", show_default=False),
    ] = None,
    status: Statuses = None,
    definition: OfDefinition = None,
    label: Labels = None,
    waiting: Waits = None,
    text: Text = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All workflows, without any filter.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and show which.")] = False,
    key: Annotated[str | None, typer.Option(help="Again with the same key: the same job.")] = None,
    reason: Annotated[str, typer.Option(help="Reason or comment.", show_default=False)] = "",
    stage: Annotated[str | None, typer.Option(help="Stage to retry or decide.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the signal.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="FILE|-|JSON", help="Payload, form or other input.")
    ] = None,
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Do one thing to many workflows, as a job that outlives this command. Waits for its end."""
    said = {"reason": reason, "stage": stage, "name": name, "data": read_json(data)}
    chosen: dict[str, Any] = {"ids": ids or ()}
    if not ids:
        chosen["filter"] = {
            "status": tuple(each.value for each in status or ()),
            "definition": definition,
            "label": dict(map(pair_of, label or ())),
            "waiting": waiting.value if waiting else None,
            "text": text,
        }
    given = {**chosen, **said, "everything": everything, "dry_run": dry_run, "key": key}
    view = ask(url, lambda client: _done(client, action.value, {**given, "by": user(by)}))
    _print(view, as_json=as_json)


async def _done(client: Stagewright, action: str, given: dict[str, Any]) -> BulkView:
    view = await client.bulk(action, **given)
    return view if view.job_id is None else await client.bulk_done(view.job_id)


def _print(view: BulkView, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json, print_table, say

    if as_json:
        print_json(view)
        return
    more = "" if view.exact else " or more"
    if view.status == "dry-run":
        say(f"{view.total}{more} workflows would be changed.")
        for workflow_id in view.sample:
            typer.echo(workflow_id)
        return
    say(f"job {view.job_id}: {view.changed} changed, {view.refused} refused", style="green")
    rows = [(one.workflow_id, one.kind, one.detail) for one in view.refusals]
    if rows:
        print_table(("ID", "KIND", "REFUSED BECAUSE"), rows, fold=("REFUSED BECAUSE",))

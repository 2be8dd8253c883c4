"""`stagewright workflow pause|resume|cancel|retry|signal|approve|reject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.documents import read_json
from stagewright.entrypoints.cli.flags import AsJson, By, Id, Url, user

if TYPE_CHECKING:
    from stagewright.entrypoints.client.commands import Decision
    from stagewright.ports.control import CommandReply

Reason = Annotated[str, typer.Option("--reason", help="Why.", show_default=False)]
Comment = Annotated[
    str, typer.Option("--comment", help="Said with the decision.", show_default=False)
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="FILE|-|JSON", help="The form, filled in.")
]
Stage = Annotated[str | None, typer.Option(help="Approval to decide; needed when several wait.")]
Visit = Annotated[
    int | None, typer.Option(help="Refuse the decision when another round has begun.", metavar="N")
]
ShownHash = Annotated[
    str | None,
    typer.Option("--shown", metavar="HASH", help="Refuse it when something else is shown now."),
]
Group = Annotated[list[str] | None, typer.Option(help="A group you decide for; may be repeated.")]


def pause(
    workflow_id: Id, reason: Reason = "", by: By = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Let nothing new begin until resumed."""
    reply = ask(url, lambda client: client.pause(workflow_id, by=user(by), reason=reason))
    _print(reply, "paused", as_json=as_json)


def resume(workflow_id: Id, by: By = None, url: Url = None, as_json: AsJson = False) -> None:
    """Go on, first with what was recorded meanwhile."""
    reply = ask(url, lambda client: client.resume(workflow_id, by=user(by)))
    _print(reply, "resumed", as_json=as_json)


def cancel(
    workflow_id: Id, reason: Reason = "", by: By = None, url: Url = None, as_json: AsJson = False
) -> None:
    """End a workflow now; running agents are told."""
    reply = ask(url, lambda client: client.cancel(workflow_id, by=user(by), reason=reason))
    _print(reply, "cancelled", as_json=as_json)


def retry(
    workflow_id: Id,
    stage: Annotated[
        str | None, typer.Option(help="Stage to retry, or that a successor starts from.")
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE|-|JSON", help="Another input for the successor."),
    ] = None,
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Retry a held stage, or start a successor of a finished workflow. Prints the id to watch."""
    value = read_json(input_)
    reply = ask(
        url, lambda client: client.retry(workflow_id, stage=stage, input=value, by=user(by))
    )
    if not as_json:
        typer.echo(reply.workflow_id)
    _print(reply, "goes on", as_json=as_json)


def signal(
    workflow_id: Id,
    name: Annotated[str, typer.Argument(help="Name of the signal.", show_default=False)],
    data: Annotated[
        str | None, typer.Option(metavar="FILE|-|JSON", help="What the signal carries.")
    ] = None,
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Tell a workflow that something outside happened."""
    value = read_json(data)
    reply = ask(url, lambda client: client.signal(workflow_id, name, value, by=user(by)))
    _print(reply, f"has the signal {name}", as_json=as_json)


def approve(
    workflow_id: Id,
    by: By = None,
    stage: Stage = None,
    data: Data = None,
    comment: Comment = "",
    visit: Visit = None,
    shown: ShownHash = None,
    group: Group = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Approve what waits for it."""
    decision = _decision(stage, data, comment, visit, shown, group)
    reply = ask(url, lambda client: client.approve(workflow_id, by=user(by), **decision))
    _print(reply, f"has the approval of {user(by)}", as_json=as_json)


def reject(
    workflow_id: Id,
    by: By = None,
    stage: Stage = None,
    data: Data = None,
    comment: Comment = "",
    visit: Visit = None,
    shown: ShownHash = None,
    group: Group = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Reject what waits for approval."""
    decision = _decision(stage, data, comment, visit, shown, group)
    reply = ask(url, lambda client: client.reject(workflow_id, by=user(by), **decision))
    _print(reply, f"has the rejection of {user(by)}", as_json=as_json)


def _decision(
    stage: str | None,
    data: str | None,
    comment: str,
    visit: int | None,
    shown: str | None,
    groups: list[str] | None,
) -> Decision:
    decision: Decision = {"data": read_json(data), "reason": comment, "groups": tuple(groups or ())}
    if stage is not None:
        decision["stage"] = stage
    if visit is not None:
        decision["visit"] = visit
    if shown is not None:
        decision["shown_hash"] = shown
    return decision


def _print(reply: CommandReply, what: str, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json, say

    if as_json:
        print_json(reply)
        return
    detail = f" ({reply.detail})" if reply.detail else ""
    say(f"{reply.workflow_id} {what}{detail}", style="green")

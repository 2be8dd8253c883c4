"""`stagewright workflow list|show|watch|explain|log|replay`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.documents import instant_of, pair_of
from stagewright.entrypoints.cli.flags import AsJson, Id, Url

if TYPE_CHECKING:
    from stagewright.entrypoints.client.queries import Filters


class StatusName(enum.StrEnum):
    """Statuses to filter by."""

    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WaitingKind(enum.StrEnum):
    """Kinds of waiting to filter by."""

    TASK = "task"
    RETRY = "retry"
    TIMER = "timer"
    SIGNAL = "signal"
    APPROVAL = "approval"
    GROUP = "group"
    HELD = "held"
    PAUSED = "paused"


Statuses = Annotated[
    list[StatusName] | None, typer.Option(help="Only with this status; may be repeated.")
]
OfDefinition = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this definition.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Only with this label; may be repeated."),
]
Waits = Annotated[WaitingKind | None, typer.Option(help="Only waiting for this.")]
Text = Annotated[str | None, typer.Option(metavar="PREFIX", help="Start of id, key or name.")]


def page(
    status: Statuses = None,
    definition: OfDefinition = None,
    label: Labels = None,
    waiting: Waits = None,
    text: Text = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Changed at or after this (RFC 3339).")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Changed before this (RFC 3339).")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Only say how many.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows.")] = 50,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Turn the order round.")
    ] = False,
    cursor: Annotated[str | None, typer.Option(help="Continue a list.", show_default=False)] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List workflows, the newest change first."""
    from stagewright.entrypoints.cli.output import print_json
    from stagewright.entrypoints.cli.workflow_text import print_page

    filters: Filters = {
        "status": tuple(each.value for each in status or ()) or None,
        "definition": definition,
        "label": tuple(map(pair_of, label or ())) or None,
        "waiting": waiting.value if waiting else None,
        "text": text,
        "updated_from_ms": instant_of(since),
        "updated_before_ms": instant_of(before),
    }
    if count:
        _count(filters, url, as_json=as_json)
        return
    filters |= {"limit": limit, "oldest_first": oldest_first, "cursor": cursor}
    found = ask(url, lambda client: client.list(**filters))
    print_json(found) if as_json else print_page(found)


def _count(filters: Filters, url: str | None, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json

    found = ask(url, lambda client: client.count(**filters))
    print_json(found) if as_json else typer.echo(found.text)


def show(workflow_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Show a workflow: its stages, what it waits for, what came out."""
    from stagewright.entrypoints.cli.output import print_json
    from stagewright.entrypoints.cli.workflow_text import print_workflow

    view = ask(url, lambda client: client.show(workflow_id))
    print_json(view) if as_json else print_workflow(view)


def watch(
    workflow_id: Id,
    timeout: Annotated[
        float | None, typer.Option(help="Longest wait in seconds; exit code 7.", metavar="S")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Watch a workflow until it ends. With --json, a line for each change."""
    from stagewright.entrypoints.cli.ending import raise_unless_completed
    from stagewright.entrypoints.cli.watching import watched

    view = ask(url, lambda client: watched(client, workflow_id, timeout, as_json=as_json))
    raise_unless_completed(view)


def explain(workflow_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Say why a workflow does not move, who can change that, and how."""
    from stagewright.entrypoints.cli.output import print_json
    from stagewright.entrypoints.cli.workflow_text import print_explanation

    view = ask(url, lambda client: client.show(workflow_id))
    if as_json:
        told = ("workflow_id", "status", "waiting", "reason", "errors")
        print_json({name: getattr(view, name) for name in told})
    else:
        print_explanation(view)


def log(
    workflow_id: Id,
    notes: Annotated[
        bool, typer.Option("--notes", help="What agents noted instead of steps.")
    ] = False,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Begin after this step.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Steps.")] = 1_000,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print what happened, step by step."""
    from stagewright.entrypoints.cli.output import print_json
    from stagewright.entrypoints.cli.workflow_text import print_log

    found = ask(
        url,
        lambda client: client.log(
            workflow_id, which="notes" if notes else "steps", after=after, limit=limit
        ),
    )
    print_json(found) if as_json else print_log(found, notes=notes)


def replay(
    workflow_id: Id,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put back what should be in flight and is not.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Replay a workflow's log and compare it with its state."""
    from stagewright.domain.errors import Conflict
    from stagewright.entrypoints.cli.output import print_json, say

    report = ask(url, lambda client: client.replay(workflow_id, repair=repair))
    if as_json:
        print_json(report)
    elif report.equal:
        steps = "1 step gives" if report.steps == 1 else f"{report.steps} steps give"
        say(f"{steps} the state, byte for byte.", style="green")
    for missing in () if as_json else report.missing:
        say(f"missing in flight: {missing}" + (" (put back)" if report.repaired else ""))
    if not report.equal:
        raise Conflict(f"The log gives another state: {report.difference}")

"""`stagewright audit`: who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, Url

if TYPE_CHECKING:
    from stagewright.ports.audit import AuditEntry, AuditPage


def audit(
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Only what they did.")] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this, as in workflow.cancel.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what was done to this.")
    ] = None,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Continue a list.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, newest first; who started a workflow stands in its own log."""
    from stagewright.entrypoints.cli.output import print_json

    page = ask(
        url,
        lambda client: client.audit(
            actor=actor, action=action, target=target, cursor=cursor, limit=limit
        ),
    )
    if as_json:
        print_json(page)
    else:
        _print(page)


def _print(page: AuditPage) -> None:
    from stagewright.entrypoints.cli.output import print_table, say
    from stagewright.entrypoints.cli.words import ago

    if not page.entries:
        say("Nothing was changed, as far as this goes back.")
    else:
        rows = [
            (ago(e.at_ms), e.actor, e.action, e.target, e.outcome, _change(e)) for e in page.entries
        ]
        columns = ("WHEN", "WHO", "WHAT", "TARGET", "OUTCOME", "CHANGE")
        print_table(columns, rows, fold=("CHANGE",), drop=("CHANGE", "WHEN"))
    if page.cursor is not None:
        say(f"more: --cursor {page.cursor}", style="dim")


def _change(entry: AuditEntry) -> str:
    """Return what became different, and why nothing did."""
    changed = [
        f"{name} {_word(entry.before[name])} -> {_word(value)}"
        if name in entry.before
        else f"{name} {_word(value)}"
        for name, value in entry.after.items()
        if entry.before.get(name) != value and value not in (None, "", [])
    ]
    return ", ".join([*changed, entry.detail] if entry.detail else changed)


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

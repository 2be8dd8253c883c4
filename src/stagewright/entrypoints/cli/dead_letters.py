"""`stagewright dead-letter`: messages that could not be applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, By, Url, user
from stagewright.entrypoints.cli.groups import Group

if TYPE_CHECKING:
    from stagewright.ports.dead_letters import DeadLetter
    from stagewright.ports.letter_desk import LetterGroups

app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Deal with messages that could not be applied."
)

LetterId = Annotated[str, typer.Argument(metavar="LETTER", help="Its id.", show_default=False)]


@app.command("list")
def page(
    workflow: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this workflow.")
    ] = None,
    after: Annotated[str | None, typer.Option(metavar="LETTER", help="Continue a list.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows.")] = 50,
    group: Annotated[bool, typer.Option("--group", help="By cause, the biggest first.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    from stagewright.adapters.http.letters import document_of
    from stagewright.entrypoints.cli.output import print_json

    if group:
        groups = ask(url, lambda client: client.dead_letter_groups(workflow))
        print_json(groups) if as_json else _print_groups(groups)
        return
    found = ask(url, lambda client: client.dead_letters(workflow, after=after, limit=limit))
    if as_json:
        print_json([document_of(letter) for letter in found])
    else:
        _print_page(found)


def _print_groups(found: LetterGroups) -> None:
    from stagewright.entrypoints.cli.output import print_table, say
    from stagewright.entrypoints.cli.words import ago

    if not found.groups:
        say("No dead letters.")
        return
    rows = [
        (str(x.count), x.stage or "", x.cause, ago(x.last_at_ms), x.letters[0])
        for x in found.groups
    ]
    print_table(("LETTERS", "STAGE", "CAUSE", "LAST", "NEWEST"), rows, fold=("CAUSE",))
    if not found.complete:
        say(f"Only the newest {found.letters} letters were looked at.", style="yellow")


def _print_page(found: Sequence[DeadLetter]) -> None:
    from stagewright.entrypoints.cli.output import print_table, say
    from stagewright.entrypoints.cli.words import ago

    if not found:
        say("No dead letters.")
        return
    rows = [
        (x.letter_id, x.workflow_id or "", ago(x.at_ms), str(len(x.body)), x.reason) for x in found
    ]
    columns = ("LETTER", "WORKFLOW", "WHEN", "BYTES", "REASON")
    print_table(columns, rows, fold=("REASON",), drop=("BYTES", "WHEN", "WORKFLOW"))


@app.command()
def show(
    letter_id: LetterId,
    body: Annotated[
        bool, typer.Option("--body", help="Print only its bytes, to edit and redrive.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter."""
    from stagewright.adapters.http.letters import document_of
    from stagewright.entrypoints.cli.output import print_json, print_table, rows_of
    from stagewright.entrypoints.cli.words import ago

    letter = ask(url, lambda client: client.dead_letter(letter_id))
    if body:
        typer.get_binary_stream("stdout").write(letter.body)
        return
    document = document_of(letter)
    if as_json:
        print_json(document)
        return
    facts = {
        "letter": letter.letter_id,
        "workflow": letter.workflow_id,
        "when": ago(letter.at_ms),
        "reason": letter.reason,
        "body": document.body_text or repr(letter.body),
    }
    print_table(("FACT", "VALUE"), rows_of(facts), fold=("VALUE",))


@app.command()
def redrive(
    letter_id: LetterId,
    body: Annotated[
        str | None, typer.Option("--body", metavar="FILE|-", help="Send this instead, edited.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Put a dead letter back into its inbox."""
    from stagewright.entrypoints.cli.documents import read_bytes

    edited = None if body is None else read_bytes(body)
    ask(url, lambda client: client.redrive(letter_id, edited))
    _done(letter_id, "redriven", as_json=as_json)


@app.command()
def discard(
    letter_id: LetterId,
    reason: Annotated[str, typer.Option(help="Why it is not needed.", show_default=False)] = "",
    by: By = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Delete a dead letter; its workflow's notes keep who did so and why."""
    ask(url, lambda client: client.discard(letter_id, by=user(by), reason=reason))
    _done(letter_id, "discarded", as_json=as_json)


def _done(letter_id: str, what: str, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json, say

    if as_json:
        print_json({"letter_id": letter_id, "done": what})
    else:
        say(f"{letter_id} {what}", style="green")

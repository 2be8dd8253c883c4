"""`stagewright workflow start`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.documents import pair_of, read_json
from stagewright.entrypoints.cli.flags import AsJson, Url

if TYPE_CHECKING:
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.control import Started
    from stagewright.ports.views import WorkflowView


@dataclass(frozen=True, slots=True)
class _Wish:
    name: str
    values: dict[str, Any]
    wait: bool
    timeout_s: float | None
    as_json: bool


def start(
    name: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="Definition; the newest by default.")
    ],
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE|-|JSON", help="Input of the workflow."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Start once per key; again gives the same workflow.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="What people call this workflow.")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=3, help="0 is most urgent.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="May be repeated.", metavar="KEY=VALUE")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds until it must have ended.", metavar="S")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its end, print its output.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="Longest wait in seconds; exit code 7.", metavar="S")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check definition and input, start nothing.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Start a workflow. Prints its id, or with --wait its output."""
    values = {
        "input": read_json(input_),
        "key": key,
        "priority": priority,
        "labels": dict(map(pair_of, label or ())),
        "deadline_s": deadline,
        "name": title or "",
        "description": description or "",
    }
    wish = _Wish(name, values, wait, timeout, as_json)
    ask(url, lambda client: _check(client, wish) if dry_run else _start(client, wish))


async def _start(client: Stagewright, wish: _Wish) -> None:
    started = await client.start(wish.name, **wish.values)
    if not wish.wait:
        _announce(started, as_json=wish.as_json)
        return
    from stagewright.entrypoints.cli.output import say
    from stagewright.entrypoints.cli.watching import watched

    verb = "started" if started.created else "found, started before"
    say(f"{started.workflow_id} {verb}")
    view = await watched(client, started.workflow_id, wish.timeout_s, remarks=True)
    _result(view, as_json=wish.as_json)


def _announce(started: Started, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import print_json, say

    if as_json:
        print_json(started)
        return
    typer.echo(started.workflow_id)
    if not started.created:
        say("This key was started before.", style="yellow")
    say(f"stagewright workflow watch {started.workflow_id}", style="dim")


def _result(view: WorkflowView, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.ending import raise_unless_completed
    from stagewright.entrypoints.cli.output import pretty_json, print_json

    if as_json:
        print_json(view)
    raise_unless_completed(view)
    if not as_json:
        typer.echo(pretty_json(view.output))


async def _check(client: Stagewright, wish: _Wish) -> None:
    """Say what a start would do, by the checks it would meet."""
    from stagewright.application.catalog import Checker
    from stagewright.domain.definition import Definition
    from stagewright.domain.errors import ValidationFailed
    from stagewright.entrypoints.cli.output import print_json, say

    definition = Definition.model_validate(await client.definition(wish.name))
    found = (
        () if definition.input is None else Checker(definition.input).problems(wish.values["input"])
    )
    if found:
        raise ValidationFailed(
            f"The input does not fit {definition.name} {definition.version}.",
            problems=[f"{p['path'] or 'input'}: {p['message']}" for p in found],
            remedy="Correct the fields named.",
        )
    answer = {
        "definition": definition.name,
        "version": definition.version,
        "hash": definition.content_hash,
        "first_stage": definition.stages[0].name,
    }
    if wish.as_json:
        print_json(answer)
    else:
        say(f"The input fits. {definition.name} {definition.version} would start.", style="green")

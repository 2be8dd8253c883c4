"""`stagewright definition`: check, show and register definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stagewright.domain.errors import LoadError
from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, Url
from stagewright.entrypoints.cli.groups import Group

if TYPE_CHECKING:
    from stagewright.application.loading import Loaded
    from stagewright.domain.contracts import Contract
    from stagewright.domain.definition import Definition
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.views import DefinitionView

app = typer.Typer(cls=Group, no_args_is_help=True, help="Check, show and register definitions.")

Targets = Annotated[
    list[str],
    typer.Argument(metavar="MODULE|FILE|FOLDER...", help="Where they stand.", show_default=False),
]
Agents = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE", help="Check against the contracts of these agents; may be repeated."
    ),
]


@app.command()
def check(targets: Targets, agents: Agents = None, as_json: AsJson = False) -> None:
    """Check definitions without any server; exit code 5 names stage and remedy."""
    from stagewright.entrypoints.cli.output import print_json

    loaded, contracts = _loaded(targets, agents)
    rows = [
        {
            "name": one.name,
            "version": one.version,
            "hash": one.content_hash,
            "stages": sum(1 for _ in one.every_stage()),
            "source": loaded.sources.get(f"workflow {one.name}@{one.version}", ""),
            "contracts_not_checked": _unchecked(one, contracts),
        }
        for one in loaded.definitions
    ]
    if as_json:
        print_json(rows)
    else:
        _print_checked(rows)


@app.command()
def show(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]|FILE", help="A registered one, or a file.", show_default=False
        ),
    ],
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print a definition: as JSON, or drawn."""
    from stagewright.domain.definition import Definition
    from stagewright.entrypoints.cli.output import pretty_json, print_json
    from stagewright.entrypoints.mermaid import flowchart

    for definition in _found(reference, url):
        body = definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if mermaid and not as_json:
            typer.echo(flowchart(Definition.model_validate(body)), nl=False)
        elif as_json:
            print_json({**body, "version": definition.version, "hash": definition.content_hash})
        else:
            typer.echo(pretty_json({"version": definition.version, **body}))


@app.command("list")
def page(
    name: Annotated[str | None, typer.Argument(help="Only versions of this one.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List registered definitions, oldest version first."""
    from stagewright.entrypoints.cli.output import print_json, say

    found = ask(url, lambda client: client.definitions(name))
    if as_json:
        print_json(found)
    elif found:
        _print_registered(found)
    else:
        say("No definitions.")


@app.command()
def register(
    targets: Targets,
    agents: Agents = None,
    development: Annotated[
        bool,
        typer.Option("--dev", help="Register an edit of the same version as VERSION+dev.HASH."),
    ] = False,
    registered: Annotated[
        bool,
        typer.Option(
            "--registered", help="Check other agents against the contracts that they registered."
        ),
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register definitions with the contracts of their agents; immutable from then on."""
    from stagewright.entrypoints.cli.output import print_json

    loaded, contracts = _loaded(targets, agents)
    options = {"development": development, "registered": registered}
    found = ask(url, lambda to: _register(to, loaded.definitions, contracts, options))
    if as_json:
        print_json(found)
    else:
        _print_registered(found)


def _loaded(
    targets: Sequence[str], agents: Sequence[str] | None
) -> tuple[Loaded, Mapping[str, Contract]]:
    """Return what was found, and every contract that is known."""
    from stagewright.application.loading import load

    given = load(agents).contracts if agents else {}
    loaded = load(targets, contracts=given)
    if not loaded.definitions:
        raise LoadError(
            " ".join(targets), "agents but no workflow found.", remedy="Name what holds a Workflow."
        )
    return loaded, {**given, **loaded.contracts}


def _unchecked(definition: Definition, contracts: Mapping[str, Contract]) -> list[str]:
    from stagewright.domain.definition import AgentStage

    stages = [stage for stage in definition.every_stage() if isinstance(stage, AgentStage)]
    needed = {stage.agent.partition("@")[0] for stage in stages}
    return sorted(needed - set(contracts))


def _found(reference: str, url: str | None) -> Sequence[Definition]:
    """Load what is a path, else ask for what is registered."""
    from stagewright.domain.definition import Definition

    if Path(reference).exists() or reference.endswith((".py", ".yaml", ".yml")):
        return _loaded([reference], None)[0].definitions
    return [Definition.model_validate(ask(url, lambda client: client.definition(reference)))]


async def _register(
    client: Stagewright,
    definitions: Sequence[Definition],
    contracts: Mapping[str, Contract],
    options: Mapping[str, bool],
) -> list[DefinitionView]:
    return [
        await client.register(
            one.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            contracts=[c.model_dump(mode="json") for c in contracts.values()],
            **options,
        )
        for one in definitions
    ]


def _print_checked(rows: Sequence[dict[str, Any]]) -> None:
    from stagewright.entrypoints.cli.output import out, say
    from stagewright.entrypoints.cli.words import shown

    for row in rows:
        line = shown("ok", f"{row['name']} {row['version']}")
        line.append(f"  {row['stages']} stages  {row['source']}", style="default")
        out().print(line)
        if row["contracts_not_checked"]:
            names = ", ".join(row["contracts_not_checked"])
            say(f"  contracts not checked: {names} (give --agents MODULE)", style="yellow")


def _print_registered(found: Sequence[DefinitionView]) -> None:
    from stagewright.entrypoints.cli.output import print_table
    from stagewright.entrypoints.cli.words import ago

    rows = []
    for one in found:
        checked = "checked" if one.contracts_checked else "not checked"
        state = f"{checked}, retired" if one.retired else checked
        rows.append((one.name, one.version, one.hash[:12], ago(one.registered_at_ms), state))
    columns = ("NAME", "VERSION", "HASH", "REGISTERED", "CONTRACTS")
    print_table(columns, rows, drop=("HASH", "CONTRACTS", "REGISTERED"))

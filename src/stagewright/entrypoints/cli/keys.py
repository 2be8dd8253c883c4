"""`stagewright key`: what lets others in, and what it lets them do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.flags import AsJson, Url
from stagewright.entrypoints.cli.groups import Group

if TYPE_CHECKING:
    from stagewright.ports.keys import KeyView

app = typer.Typer(cls=Group, no_args_is_help=True, help="Make and revoke API keys.")

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="read, start, operate, approve, agent:NAME or admin.",
            show_default=False,
        ),
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            "--agent", metavar="NAME", help="Works as this agent; * for all.", show_default=False
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", metavar="NAME", help="Approves for this group.", show_default=False
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="Life time, as in 12h, 30d or 8w."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key; its secret is shown now and never again."""
    from stagewright.entrypoints.cli.output import print_json, say

    made = ask(
        url,
        lambda client: client.create_key(
            name,
            scope or (),
            agents=agent or (),
            groups=group or (),
            expires_s=None if expires is None else seconds(expires),
        ),
    )
    if as_json:
        print_json(made)
        return
    say(f"key {made.key_id} of {made.name}: {_may(made)}", style="green")
    say("Keep it now: nobody can show it again.")
    typer.echo(made.secret)


@app.command("list")
def page(url: Url = None, as_json: AsJson = False) -> None:
    """List API keys, expired and revoked ones too."""
    from stagewright.entrypoints.cli.output import print_json

    found = ask(url, lambda client: client.keys())
    if as_json:
        print_json(list(found))
    else:
        _print_page(found)


def _print_page(found: Sequence[KeyView]) -> None:
    from stagewright.entrypoints.cli.output import print_table, say
    from stagewright.entrypoints.cli.words import ago

    if not found:
        say("No keys. Make one with: stagewright key create NAME --scope read")
        return
    rows = [(x.name, x.key_id, _may(x), ago(x.created_at_ms), _state(x)) for x in found]
    print_table(("NAME", "KEY", "MAY", "MADE", "STATE"), rows, fold=("MAY",), drop=("MADE",))


@app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="KEY", help="Its id, as listed.", show_default=False)
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take a key out of service, for good, with its sessions; servers notice within 2 s."""
    from stagewright.entrypoints.cli.output import print_json, say

    gone = ask(url, lambda client: client.revoke_key(key_id))
    if as_json:
        print_json(gone)
    else:
        say(f"key {gone.key_id} of {gone.name} is revoked", style="green")


def seconds(text: str) -> float:
    """Return a duration like `30d` in seconds; UsageError."""
    from stagewright.domain.errors import UsageError

    found = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    if found is None:
        raise UsageError(
            f"expires: {text[:40]!r} is not a duration.", remedy="Write for example 12h, 30d or 8w."
        )
    return float(found[1]) * _UNITS_S[found[2]]


def _may(key: KeyView) -> str:
    scopes = [scope for scope in key.scopes if scope != "agent"]
    agents = [f"agent:{name}" for name in key.agents]
    groups = [f"for {name}" for name in key.groups]
    return ", ".join([*scopes, *agents, *groups])


def _state(key: KeyView) -> str:
    import time

    if key.revoked:
        return "revoked"
    if key.expires_at_ms is None:
        return "in force"
    left_s = key.expires_at_ms / 1000 - time.time()
    if left_s <= 0:
        return "expired"
    return (
        f"{left_s / 86_400:.0f} d left" if left_s > 2 * 86_400 else f"{left_s / 3_600:.1f} h left"
    )

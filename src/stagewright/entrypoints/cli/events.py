"""`stagewright events`: what happens, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stagewright.entrypoints.cli.calls import ask
from stagewright.entrypoints.cli.documents import pair_of
from stagewright.entrypoints.cli.flags import AsJson, Url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.ports.live import LiveMessage

_SHOWN = ("stage", "visit", "attempt", "outcome", "to", "status", "level", "text", "reason")
_MOST_CHARACTERS = 120


def events(
    workflow: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this workflow, from its beginning to its end."),
    ] = None,
    definition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this definition.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE", help="Only with this label.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind; may be repeated.", show_default=False)
    ] = None,
    notes: Annotated[
        bool, typer.Option("--notes/--no-notes", help="Also what agents note.")
    ] = True,
    deltas: Annotated[
        bool, typer.Option("--deltas", help="Also text as agents stream it.")
    ] = False,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Begin behind this event's id.", show_default=False),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print events as they happen, until stopped. With --json, a line for each with its id."""
    choice: dict[str, Any] = {"kinds": kind or (), "notes": notes, "deltas": deltas}

    def followed(client: Stagewright) -> AsyncIterator[LiveMessage]:
        if workflow is not None:
            return client.follow_events(workflow, after=after, **choice)
        pair = pair_of(label) if label else None
        return client.events(after=after, definition=definition, label=pair, **choice)

    async def printed(client: Stagewright) -> None:
        async for message in followed(client):
            _print(message, as_json=as_json)

    try:
        ask(url, printed)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _print(message: LiveMessage, *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.output import out, print_json

    if as_json:
        print_json({"id": message.id, "event": message.event, "data": message.data})
        return
    from rich.text import Text

    out().print(Text(_line(message)))


def _line(message: LiveMessage) -> str:
    from stagewright.entrypoints.cli.words import instant

    data = message.data
    said = [f"{name}={data[name]}" for name in _SHOWN if data.get(name) not in {None, "", 0}]
    words = " ".join(said)
    if len(words) > _MOST_CHARACTERS:
        words = words[:_MOST_CHARACTERS] + "..."
    when = instant(data["at_ms"]) if data.get("at_ms") else ""
    return f"{when}  {data.get('workflow_id', ''):<36}  {message.event:<20} {words}".rstrip()

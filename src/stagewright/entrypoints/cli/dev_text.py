"""What `dev` says."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import typer

from stagewright.domain.errors import StagewrightError
from stagewright.domain.workflow import sentence
from stagewright.entrypoints.addresses import without_secrets
from stagewright.entrypoints.cli.output import print_json, report, say
from stagewright.entrypoints.cli.words import instant, mark

if TYPE_CHECKING:
    from stagewright.entrypoints.activity import Happening
    from stagewright.entrypoints.development import Generation
    from stagewright.entrypoints.hosting import OpenDoor
    from stagewright.entrypoints.settings import Settings
    from stagewright.ports.backend import Backend
    from stagewright.ports.message_bus import IMessageBus

_TOLD = {
    "WORKFLOW_CREATED": "running",
    "STAGE_COMPLETE": "ended",
    "TASK_FAILED": "warning",
    "VALIDATION_FAILED": "warning",
    "STAGE_HELD": "paused",
    "APPROVAL_REQUESTED": "waiting",
    "WAIT_STARTED": "waiting",
    "WORKFLOW_PAUSED": "paused",
    "WORKFLOW_RESUMED": "running",
    "WORKFLOW_COMPLETED": "completed",
    "WORKFLOW_FAILED": "failed",
    "WORKFLOW_CANCELLED": "cancelled",
}
"""Events worth a line, and the status whose symbol they get."""


class Told:
    """Start commands on standard output, everything else on standard error."""

    def __init__(self, settings: Settings, *, needs_url: bool, as_json: bool) -> None:
        self._settings, self._needs_url, self._as_json = settings, needs_url, as_json

    def begun(self, backend: Backend, door: OpenDoor | None, generation: Generation) -> None:
        """Say what is served, where, and how to start it."""
        say(f"{backend.url}", style="dim")
        if door is not None:
            say(f"control interface {door.address}", style="dim")
        if self._settings.url.startswith("memory:") and door is not None:
            say("Other terminals reach this process with:", style="dim")
            say(f"export STAGEWRIGHT_URL={door.address} STAGEWRIGHT_TOKEN={door.token}")
        self._served(generation)
        for definition, command in self._commands(generation):
            if self._as_json:
                print_json({"ready": True, "workflow": definition, "start": command})
            else:
                typer.echo(command)

    def reloaded(self, generation: Generation) -> None:
        """Say that an edit is in force."""
        say("loaded again", style="green")
        self._served(generation)

    def failed(self, error: StagewrightError) -> None:
        """Say why an edit is not."""
        report(error)
        say("  the last good load goes on", style="yellow")

    async def follow(self, bus: IMessageBus) -> None:
        """Print a line for each event that people care about."""
        from stagewright.entrypoints.activity import happenings

        async for happening in happenings(bus):
            line = _line(happening)
            if line and not self._as_json:
                say(line)

    def _served(self, generation: Generation) -> None:
        names = [f"{one.name} {one.version}" for one in generation.definitions]
        agents = [f"{a.contract.name} {a.contract.version}" for a in generation.loaded.agents]
        say(f"workflows {', '.join(names) or 'none'}")
        say(f"agents    {', '.join(agents) or 'none'}")

    def _commands(self, generation: Generation) -> list[tuple[str, str]]:
        import orjson

        from stagewright.application.sample_input import sample

        found = []
        for definition in generation.loaded.definitions:
            given = orjson.dumps(sample(definition.input)).decode()
            parts = [
                "stagewright",
                "workflow",
                "start",
                definition.name,
                "--input",
                given,
                "--wait",
            ]
            found.append((definition.name, shlex.join(parts) + self._url_option()))
        return found

    def _url_option(self) -> str:
        """Name the URL where the command would not find it by itself, but no password."""
        url = self._settings.url
        if not self._needs_url or url.startswith("memory:"):
            return ""
        secret = without_secrets(url) != url
        return ' --url "$STAGEWRIGHT_URL"' if secret else f" --url {shlex.quote(url)}"


def _line(happening: Happening) -> str | None:
    event: Any = happening.event
    kind = str(event.get("type"))
    if kind not in _TOLD:
        return None
    bad = kind == "STAGE_COMPLETE" and event.get("outcome") not in (None, "ok", "approved")
    symbol = mark("warning" if bad else _TOLD[kind])
    reason = str(event.get("reason") or "")
    names_stage = reason.startswith(f"{event.get('stage')} ")
    told = ("reason",) if names_stage else ("stage", "outcome", "reason")
    words = [str(event[key]) for key in told if event.get(key)]
    if event.get("errors") and not reason:
        words.append(sentence(event["errors"][0]))
    what = kind.removeprefix("WORKFLOW_").replace("_", " ").lower()
    when = instant(happening.at_ms)
    return f"{when} {symbol} {happening.workflow_id[-12:]}  {what:<15} {' '.join(words)}".rstrip()

"""`stagewright serve`: an orchestrator, until told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.flags import (
    AsJson,
    Concurrency,
    LogFormat,
    LogLevel,
    Port,
    Url,
    settings_of,
)

if TYPE_CHECKING:
    from stagewright.entrypoints.settings import Settings


def serve(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE|FILE|FOLDER...]",
            help="Definitions to register, and agents to run here, besides what is registered.",
            show_default=False,
        ),
    ] = None,
    port: Port = None,
    concurrency: Concurrency = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run an orchestrator for everything registered; any number may run on one Redis."""
    from stagewright.entrypoints.hosting import refuse_memory, run_process

    settings = settings_of(
        url=url, port=port, concurrency=concurrency, log_level=log_level, log_format=log_format
    )
    refuse_memory(settings.url, "stagewright serve")
    run_process(lambda: _serve(settings, targets or (), as_json=as_json))


async def _serve(settings: Settings, targets: Sequence[str], *, as_json: bool) -> None:
    from stagewright.entrypoints.cli.ready import announce
    from stagewright.entrypoints.hosting import (
        alone,
        door_if_needed,
        orchestrating,
        owning,
        serving_targets,
        stopped_by_signal,
    )

    with alone():
        async with (
            owning(settings) as container,
            door_if_needed(container) as door,
            orchestrating(container),
            serving_targets(container, targets) as agents,
        ):
            announce(
                "serve",
                as_json=as_json,
                url=container.backend().url,
                address=door.address if door else None,
                agents=agents,
            )
            if door is not None and not door.keys:
                _tell_of_keys()
            await stopped_by_signal()


def _tell_of_keys() -> None:
    from stagewright.entrypoints.cli.output import say

    say("There is no API key yet, so the interface lets in nobody but you. Make one with:")
    say("stagewright key create NAME --scope read --scope start")

"""`stagewright dev`: all of it in one process, with reload."""

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
    load,
    settings_of,
)

if TYPE_CHECKING:
    from stagewright.entrypoints.cli.dev_text import Told
    from stagewright.entrypoints.container import Container
    from stagewright.entrypoints.hosting import OpenDoor
    from stagewright.entrypoints.settings import Settings


def dev(
    target: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE|FILE|FOLDER...", help="Workflows and agents to run.", show_default=False
        ),
    ],
    port: Port = None,
    concurrency: Concurrency = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run workflows and their agents in this process, and load again whatever is edited."""
    from stagewright.entrypoints.cli.dev_text import Told
    from stagewright.entrypoints.hosting import run_process

    settings = settings_of(
        url=url, port=port, concurrency=concurrency, log_level=log_level, log_format=log_format
    )
    told = Told(settings, needs_url=load().settings.url != settings.url, as_json=as_json)
    run_process(lambda: _dev(settings, target, told))


async def _dev(settings: Settings, targets: Sequence[str], told: Told) -> None:
    from stagewright.entrypoints.hosting import alone, door_if_needed, orchestrating, owning

    with alone():
        async with (
            owning(settings) as container,
            door_if_needed(container, development=True) as door,
            orchestrating(container),
        ):
            await _serve(container, targets, told, door)


async def _serve(
    container: Container, targets: Sequence[str], told: Told, door: OpenDoor | None
) -> None:
    """Runners live in the outer group, so that they may finish when watching has ended."""
    import anyio

    from stagewright.entrypoints.development import Development
    from stagewright.entrypoints.edits import Edits
    from stagewright.entrypoints.hosting import stopped_by_signal

    async with anyio.create_task_group() as runners:
        development = Development(container, targets, runners, Edits(targets))
        generation = await development.reload()
        told.begun(container.backend(), door, generation)
        async with anyio.create_task_group() as watching:
            watching.start_soon(development.follow_edits, told.reloaded, told.failed)
            watching.start_soon(told.follow, container.backend().bus)
            await stopped_by_signal()
            watching.cancel_scope.cancel()
        development.stop()

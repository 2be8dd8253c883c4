"""`stagewright agent`: processes that serve agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.flags import (
    AsJson,
    Concurrency,
    LogFormat,
    LogLevel,
    Url,
    settings_of,
)
from stagewright.entrypoints.cli.groups import Group

if TYPE_CHECKING:
    from stagewright.application.runner import AgentRunner
    from stagewright.domain.builder import HasContract
    from stagewright.entrypoints.settings import Settings

app = typer.Typer(cls=Group, no_args_is_help=True, help="Run agents.")


@app.callback()
def _group() -> None:
    """Keep `run` a command of its own, so that others can stand beside it."""


@app.command()
def run(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE[:NAME]...",
            help="Modules, files or folders; :NAME serves one agent of them.",
            show_default=False,
        ),
    ],
    concurrency: Concurrency = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Serve agents until told to stop; their tasks may finish within the grace time."""
    from stagewright.entrypoints.agent_targets import agents_of
    from stagewright.entrypoints.hosting import run_process

    settings = settings_of(
        url=url, concurrency=concurrency, log_level=log_level, log_format=log_format
    )
    _must_be_shared(settings.url)
    agents = agents_of(targets)
    run_process(lambda: _run(settings, agents, as_json=as_json))


def _must_be_shared(url: str) -> None:
    from stagewright.domain.errors import UsageError
    from stagewright.entrypoints.addresses import MEMORY, scheme_of

    if scheme_of(url) == MEMORY:
        raise UsageError(
            "memory:// serves its agents in the process that owns it.",
            remedy="Use `stagewright dev`, or sqlite:///PATH, or redis://...",
        )


async def _run(settings: Settings, agents: Sequence[HasContract], *, as_json: bool) -> None:
    from stagewright.entrypoints.addresses import without_secrets
    from stagewright.entrypoints.cli.ready import announce
    from stagewright.entrypoints.hosting import alone, running, stopped_by_signal

    with alone():
        async with _runner(settings, agents) as runner, running(runner):
            names = [f"{a.contract.name} {a.contract.version}" for a in agents]
            announce("agent", as_json=as_json, url=without_secrets(settings.url), agents=names)
            await stopped_by_signal()


@asynccontextmanager
async def _runner(settings: Settings, agents: Sequence[HasContract]) -> AsyncIterator[AgentRunner]:
    """Return a runner: over the store itself, or through the door of the process that owns it."""
    from stagewright.entrypoints.container import opened
    from stagewright.entrypoints.hosting import runner_of
    from stagewright.entrypoints.remote import remote_runner, through_a_door

    if through_a_door(settings.url):
        async with remote_runner(settings, agents) as runner:
            yield runner
    else:
        async with opened(settings) as container:
            yield runner_of(container, agents)

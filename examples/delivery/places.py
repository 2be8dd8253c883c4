"""Where things lie.

    <home>/repositories/<name>.git      one bare repository per service name
    <home>/attempts/<workflow>/<stage>-<visit>-<attempt>/    what one attempt works in
    <home>/deployed/<name>/             releases, their data and the running service

`<home>` is $DELIVERY_HOME, else `.stagewright/delivery` below the current folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from anyio.to_thread import run_sync as in_thread

from examples.delivery import services
from examples.delivery.context import Context
from examples.delivery.repository import Repository
from examples.delivery.results import Workspace

SHORT_ID_CHARACTERS = 10


def default_home() -> Path:
    """The absolute folder in which deliveries work when nothing else is said."""
    chosen = os.environ.get("DELIVERY_HOME")
    return (Path(chosen) if chosen else Path(".stagewright") / "delivery").resolve()


def repository_path(home: Path, name: str) -> Path:
    """The bare repository of the service `name`."""
    return home / "repositories" / f"{name}.git"


def deployments_path(home: Path) -> Path:
    """Where all services are deployed."""
    return home / "deployed"


def deployment_path(home: Path, name: str) -> Path:
    """Where the service `name` is deployed."""
    return deployments_path(home) / name


def short_id(workflow_id: str) -> str:
    """The end of a workflow's id: short enough to read, long enough to tell deliveries apart."""
    return re.sub(r"[^a-z0-9]", "", workflow_id.lower())[-SHORT_ID_CHARACTERS:]


def attempts_path(home: Path, workflow_id: str) -> Path:
    """Where all attempts of one workflow work."""
    return home / "attempts" / short_id(workflow_id)


@asynccontextmanager
async def attempt_folder(ctx: Context, workspace: Workspace) -> AsyncIterator[Path]:
    """An empty folder for this attempt, removed at the end.

    First clears what earlier attempts of the same stage left, services included: an attempt that
    was killed could not do so itself.
    """
    stage = ctx.idempotency_key.split("/")[-2]
    parent = attempts_path(Path(workspace.home), ctx.workflow_id)
    folder = parent / f"{stage}-{ctx.visit}-{ctx.attempt}"
    repository = Repository(Path(workspace.repository))
    left = await in_thread(_clear, parent, stage, repository)
    for name in left:
        await ctx.log(f"cleared what {name} left")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(_clear, parent, stage, repository)
            with suppress(OSError):  # other stages may have left something
                parent.rmdir()


def _clear(parent: Path, stage: str, repository: Repository) -> list[str]:
    left = sorted(parent.glob(f"{stage}-*"))
    for folder in left:
        _remove(folder)
    repository.prune()
    return [folder.name for folder in left]


def _remove(folder: Path) -> None:
    for place in services.folders_with_services(folder):
        services.stop(place)
    shutil.rmtree(folder, ignore_errors=True)

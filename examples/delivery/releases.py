"""The releases of one deployed service.

<folder>/releases/<n>/        the code of release n, and what is known about it
<folder>/current              a link to the release that serves
<folder>/data/records.db      the records, which outlive every release
<folder>/port                 where every release is reached
<folder>/service/             record, address and log of the running service
"""

from __future__ import annotations

import fcntl
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from pydantic import BaseModel, ConfigDict

from examples.delivery.errors import ToolFailed
from examples.delivery.repository import Repository

KEPT = 5
LOCK_LIMIT_S = 60.0
POLL_S = 0.05
ABOUT = "release.json"
PORT = "port"


class Release(BaseModel):
    """One installed release. `healthy` once it served and answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    key: str
    commit: str
    package: str
    healthy: bool = False


class Releases:
    """The releases below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.service = folder / "service"
        self.database = folder / "data" / "records.db"

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Only one deployment of a service at a time; the system frees the lock of a dead one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            until = time.monotonic() + LOCK_LIMIT_S
            while not _locked(lock.fileno()):
                if time.monotonic() > until:
                    raise ToolFailed("deployment", f"another one holds {lock.name}")
                await anyio.sleep(POLL_S)
            yield

    def path(self, release: Release) -> Path:
        """The code of a release."""
        return self.folder / "releases" / str(release.number)

    def all(self) -> list[Release]:
        """The complete releases, oldest first."""
        found = (self.folder / "releases").glob(f"[0-9]*/{ABOUT}")
        read = [Release.model_validate_json(path.read_bytes()) for path in found]
        return sorted(read, key=lambda release: release.number)

    def by_key(self, key: str) -> Release | None:
        """The release that an earlier attempt of the same deployment installed."""
        return next((release for release in self.all() if release.key == key), None)

    def last_healthy(self, *, before: Release) -> Release | None:
        """The newest release that served, other than `before`: the one to roll back to."""
        healthy = [each for each in self.all() if each.healthy and each.number < before.number]
        return healthy[-1] if healthy else None

    def install(self, repository: Repository, commit: str, package: str, key: str) -> Release:
        """Put the code of `commit` into the next release folder, complete or not at all."""
        number = max((each.number for each in self.all()), default=0) + 1
        release = Release(number=number, key=key, commit=commit, package=package)
        unfinished = self.folder / "releases" / f".{number}"
        shutil.rmtree(unfinished, ignore_errors=True)
        repository.export(commit, unfinished)
        self._describe(unfinished, release)
        self.database.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(self.path(release))
        return release

    def mark_healthy(self, release: Release) -> Release:
        """Note that a release served, so that later ones can be rolled back to it."""
        healthy = release.model_copy(update={"healthy": True})
        self._describe(self.path(release), healthy)
        return healthy

    def current(self) -> Release | None:
        """The release that the `current` link names."""
        try:
            about = (self.folder / "current" / ABOUT).read_bytes()
        except FileNotFoundError:
            return None
        return Release.model_validate_json(about)

    def switch(self, release: Release | None) -> None:
        """Let `current` name `release`, in one step; None removes the link."""
        link = self.folder / "current"
        if release is None:
            link.unlink(missing_ok=True)
            return
        aside = self.folder / ".current"
        aside.unlink(missing_ok=True)
        aside.symlink_to(Path("releases") / str(release.number))
        aside.replace(link)

    @property
    def port(self) -> int:
        """The port that releases of this service share; 0 (any) at first, or if it is taken."""
        try:
            port = int((self.folder / PORT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return 0
        return port if _is_free(port) else 0

    def keep_port(self, address: str) -> None:
        """Let the releases that follow be reached at the same `address`."""
        (self.folder / PORT).write_text(address.rpartition(":")[2], encoding="utf-8")

    def prune(self) -> None:
        """Remove all but the newest releases; never the current one."""
        current = self.current()
        for release in self.all()[:-KEPT]:
            if release != current:
                shutil.rmtree(self.path(release), ignore_errors=True)

    def _describe(self, folder: Path, release: Release) -> None:
        aside = folder / f".{ABOUT}"
        aside.write_text(release.model_dump_json(indent=2), encoding="utf-8")
        aside.replace(folder / ABOUT)


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Out of memory, out of disk: what was accepted ends, what is not accepted is told why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from stagewright.entrypoints.settings import Settings
from stagewright.ports.backend import Backend
from stagewright.testing.servers import RedisServer
from tests.faults.fullness import Room, get_full_and_recover

SPARE_BYTES = 2_000_000
SPARE_PAGES = 500
DISK_MB = 3


class Memory:
    """The memory of a Redis that evicts nothing."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def shrink(self, _: Backend) -> None:
        async with Redis.from_url(self._url, protocol=2) as plain:
            used = (await plain.info("memory"))["used_memory"]
            await plain.config_set("maxmemory-policy", "noeviction")
            await plain.config_set("maxmemory", used + SPARE_BYTES)

    async def seal(self, _: Backend) -> None:
        async with Redis.from_url(self._url, protocol=2) as plain:
            await plain.config_set("maxmemory", 1)

    async def grow(self, _: Backend) -> None:
        async with Redis.from_url(self._url, protocol=2) as plain:
            await plain.config_set("maxmemory", 0)


class Pages:
    """The number of pages that SQLite allows itself."""

    async def shrink(self, backend: Backend) -> None:
        ((now,),) = await self._pragma(backend, "page_count")
        await self._pragma(backend, f"max_page_count = {now + SPARE_PAGES}")

    async def seal(self, backend: Backend) -> None:
        await self._pragma(backend, "max_page_count = 1")  # which means: not one more

    async def grow(self, backend: Backend) -> None:
        await self._pragma(backend, "max_page_count = 1000000")

    async def _pragma(self, backend: Backend, text: str) -> Any:
        writer = backend.store._core.writer  # type: ignore[attr-defined]
        db = writer._session.db
        return await writer.run(lambda _: db.execute(f"PRAGMA {text}").fetchall())


class SmallDisk:
    """A file system in memory with a size of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.why_not = self._mount(f"size={DISK_MB}m", "-t", "tmpfs")

    def _mount(self, option: str, *kind: str) -> str:
        command = ["mount", *kind, "-o", option, "tmpfs", str(self._folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError as error:
            return str(error)
        return done.stderr.decode().strip() if done.returncode else ""

    async def shrink(self, _: Backend) -> None:
        """It is small from the beginning."""

    async def seal(self, _: Backend) -> None:
        with suppress(OSError), (self._folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4_096))

    async def grow(self, _: Backend) -> None:
        assert self._mount("remount,size=200m") == ""

    def end(self) -> None:
        """Take it away again."""
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)


async def test_redis_without_memory_loses_nothing_and_goes_on_when_there_is_some() -> None:
    with RedisServer(appendonly="always") as server:
        works = await get_full_and_recover(
            Settings(url=server.url, lease_s=2, concurrency=5), Memory(server.url)
        )
    assert "no room left" in works.refusals[0].message
    assert "maxmemory" in works.refusals[0].message


@pytest.fixture(params=["pages", "disk"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """What limits the file: SQLite itself, or a real disk where the machine lets us mount one."""
    if request.param == "pages":
        yield Pages()
        return
    disk = SmallDisk(tmp_path)
    if disk.why_not:
        sys.stdout.write(f"no disk could be mounted ({disk.why_not}): pages are limited instead\n")
        yield Pages()
        return
    yield disk
    disk.end()


async def test_sqlite_without_space_loses_nothing_and_goes_on_when_there_is_some(
    room: Room, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    works = await get_full_and_recover(Settings(url=url, lease_s=2, concurrency=5), room)
    assert "the disk is full" in works.refusals[0].message

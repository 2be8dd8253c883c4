"""A disk between SQLite and the files that can be watched, held up and filled."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

import apsw

_BASE = "unix"


class Disk:
    """The files of connections opened while this is entered lie on it."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        """Kinds of the files that were brought to the disk: `wal`, `db`."""
        self.full = False
        self.broken = False
        self._syncing = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()

    def __enter__(self) -> Self:
        self._vfs = _Vfs(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        self._vfs.unregister()

    def hold(self) -> None:
        """Let the next sync wait until `go_on`."""
        self._syncing.clear()
        self._go_on.clear()

    def go_on(self) -> None:
        """Let the sync that waits be done."""
        self._go_on.set()

    async def reached(self) -> None:
        """Return once a sync waits."""
        assert await asyncio.to_thread(self._syncing.wait, 20)

    def write(self) -> None:
        """Refuse to write when full."""
        if self.full:
            raise apsw.FullError("planted")

    def sync(self, name: str) -> None:
        """Note a sync that is done, or refuse it."""
        self._syncing.set()
        assert self._go_on.wait(20)
        if self.broken:
            raise apsw.IOError("planted")
        self.synced.append("wal" if name.endswith("-wal") else "db")


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("watched", _BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # apsw's name
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__(_BASE, name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # apsw's name
        self._disk.write()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802  # apsw's name
        self._disk.sync(self._name)
        super().xSync(flags)

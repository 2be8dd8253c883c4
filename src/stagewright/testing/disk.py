"""A disk between SQLite and its files that can be watched, held up, filled, and cut off.

Connections opened while a `Disk` is entered lie on it. Its journal says in order what was written,
what was brought to the platter, and what the test was told meanwhile; `Platter` makes of a part of
the journal the files that a power cut at that moment would have left.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import apsw

from stagewright.ports.system import IRandom

_BASE = "unix"
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were handed to the operating system."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file was cut to a size."""

    file: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Sync:
    """All that was done to a file before this is on the platter."""

    file: str


@dataclass(frozen=True, slots=True)
class Delete:
    """A file was deleted, which is taken to last."""

    file: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody was told that something is done."""

    token: str


Entry = Write | Truncate | Sync | Delete | Answer


class Disk:
    """A disk for one test at a time: it is the default of all connections while it is entered."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []
        """All that happened, oldest first. Files are named by their last part."""
        self.full = False
        """Whether every write is refused for want of space."""
        self.broken = False
        """Whether every sync fails."""
        self._syncing = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()

    def __enter__(self) -> Self:
        self._vfs = _Vfs(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        self._vfs.unregister()

    @property
    def synced(self) -> list[str]:
        """Kinds of the files that were brought to the platter: `wal`, `db`."""
        files = [entry.file for entry in self.journal if isinstance(entry, Sync)]
        return ["wal" if file.endswith("-wal") else "db" for file in files]

    def answered(self, token: str) -> None:
        """Note that somebody was told of something, which the token names."""
        self.journal.append(Answer(token))

    def hold(self) -> None:
        """Let the next sync wait until `go_on`."""
        self._syncing.clear()
        self._go_on.clear()

    def go_on(self) -> None:
        """Let the sync that waits be done."""
        self._go_on.set()

    async def reached(self) -> None:
        """Return once a sync waits."""
        assert await asyncio.to_thread(self._syncing.wait, _PATIENCE_S)

    def write(self, file: str, data: bytes, offset: int) -> None:
        """Note a write, or refuse it when full."""
        if self.full:
            raise apsw.FullError("planted")
        self.journal.append(Write(file, offset, bytes(data)))

    def sync(self, file: str) -> None:
        """Let a sync pass, or refuse it; whoever does it notes it afterwards."""
        self._syncing.set()
        if not self._go_on.wait(_PATIENCE_S):
            raise apsw.IOError("held up for too long")
        if self.broken:
            raise apsw.IOError(f"planted for {file}")


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("watched", _BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # apsw's name
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802  # apsw's
        super().xDelete(filename, syncdir)
        self._disk.journal.append(Delete(Path(filename).name))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__(_BASE, name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._name = Path(path).name

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # apsw's name
        self._disk.write(self._name, data, offset)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  # apsw's name
        super().xTruncate(newsize)
        self._disk.journal.append(Truncate(self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802  # apsw's name
        self._disk.sync(self._name)
        super().xSync(flags)
        self._disk.journal.append(Sync(self._name))


@dataclass(slots=True)
class _Kept:
    """One file: what is safe, and what a cut may take or leave."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Write | Truncate] = field(default_factory=list)


class Platter:
    """What is left of files when the power goes: all that was synced, and any part of the rest."""

    def __init__(self) -> None:
        self._files: dict[str, _Kept] = {}

    def play(self, entries: Iterable[Entry]) -> None:
        """Let some more of the journal happen."""
        for entry in entries:
            if isinstance(entry, Answer):
                continue
            if isinstance(entry, Delete):
                self._files.pop(entry.file, None)
                continue
            kept = self._files.setdefault(entry.file, _Kept())
            if isinstance(entry, Sync):
                for change in kept.pending:
                    _change(kept.safe, change)
                kept.pending.clear()
            else:
                kept.pending.append(entry)

    def leave(self, folder: Path, random: IRandom) -> None:
        """Write the files into a folder, as a cut at this moment may leave them.

        Of what was not synced nothing, all, or some changes may have arrived, in any choice, the
        last of them torn.
        """
        for name, kept in self._files.items():
            content = bytearray(kept.safe)
            for change in _arrived(kept.pending, random):
                _change(content, change)
            (folder / name).write_bytes(content)


def _arrived(pending: list[Write | Truncate], random: IRandom) -> list[Write | Truncate]:
    fate = random.random()
    if fate < 0.25:  # a quarter: nothing arrived
        return []
    if fate < 0.5:  # another: everything
        return pending
    some = [change for change in pending if random.random() < fate]
    if some and isinstance(some[-1], Write):
        last = some[-1]
        some[-1] = Write(last.file, last.offset, last.data[: int(len(last.data) * random.random())])
    return some


def _change(content: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del content[change.size_bytes :]
        return
    end = change.offset + len(change.data)
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : end] = change.data

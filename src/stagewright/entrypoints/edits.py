"""Noticing edits. The operating system's hints make it quick; comparing files makes it sure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from stat import S_ISREG

SUFFIXES = frozenset({".py", ".yaml", ".yml"})
_CHECK_MS = 1_000
"""So often files are compared without a hint: an edit just before the watch began has none."""

Seen = Mapping[Path, tuple[int, int]]


class Edits:
    """What Python and YAML files in some folders looked like when they were last taken note of."""

    def __init__(self, targets: Sequence[str]) -> None:
        paths = [path for path in map(Path, targets) if path.exists()]
        self._folders = {(path if path.is_dir() else path.parent).resolve() for path in paths}
        self._seen = self._look()

    def note(self) -> None:
        """Take what the files look like now as known. Do so before reading them."""
        self._seen = self._look()

    def include(self, files: Iterable[Path]) -> None:
        """Watch the folders of these files too."""
        new = {file.parent for file in files} - self._folders
        self._folders |= new
        self._seen = {**self._seen, **_look_into(new)}

    def changed(self) -> bool:
        """Whether a file changed, came or went since it was taken note of."""
        return self._look() != self._seen

    async def __aiter__(self) -> AsyncIterator[None]:
        from watchfiles import awatch

        watch = awatch(
            *sorted(self._folders), recursive=False, rust_timeout=_CHECK_MS, yield_on_timeout=True
        )
        async for _ in watch:
            if self.changed():
                yield

    def _look(self) -> Seen:
        return _look_into(self._folders)


def _look_into(folders: Iterable[Path]) -> Seen:
    found = {}
    for folder in folders:
        for file in folder.glob("*"):
            if file.suffix in SUFFIXES and (looks := _looks(file)):
                found[file] = looks
    return found


def _looks(file: Path) -> tuple[int, int] | None:
    """Return time and size; None for what is no file, or is gone again."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if S_ISREG(status.st_mode) else None

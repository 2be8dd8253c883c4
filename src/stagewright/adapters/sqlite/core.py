"""What the ports of one open file share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from stagewright.adapters.sqlite import concerns
from stagewright.adapters.sqlite.feed import Feed
from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.migrations import Namespace
from stagewright.adapters.sqlite.reader import Reader
from stagewright.adapters.sqlite.writer import Writer
from stagewright.domain.errors import StoreFailed, StoreFull
from stagewright.ports.health import PortHealth
from stagewright.ports.system import IClock

LATELY_S = 12.0
"""Longer than anybody who was refused waits before the next try."""


@dataclass(frozen=True, slots=True)
class Core:
    """One open file."""

    path: str
    version: str
    """Of SQLite."""
    namespace: Namespace
    clock: IClock
    writer: Writer
    reader: Reader
    hints: Hints
    feed: Feed

    async def health(self) -> PortHealth:
        """Say whether the file can be read, and how the newest transaction that wrote went."""
        where = f"SQLite {self.version}, {self.path}, synchronous=FULL"
        failure = self.writer.failure
        full = self._full()
        try:
            self.reader.rows("select_meta", ("reserved",))
        except StoreFailed as error:
            failure, full = error, ""
        if failure is not None and not isinstance(failure, StoreFull):
            return PortHealth(ok=False, durability="process", detail=f"{where}: {failure}")
        return PortHealth(ok=True, durability="process", detail=where, refusing=full)

    def _full(self) -> str:
        """Say that the disk is full, or was a moment ago: what is small finds room now and then."""
        if self.writer.full is None:
            return ""
        failure, at_s = self.writer.full
        lately = self.clock.monotonic_s() - at_s < LATELY_S
        return failure.message if lately or self.writer.failure is failure else ""

    async def examine(self) -> PortHealth:
        """Say what `health` does, with all that people should mend."""
        health, path = await self.health(), Path(self.path)
        found = (
            *concerns.of_space(path, health.refusing),
            *concerns.of_place(path),
            *concerns.of_version(self.version),
        )
        return replace(health, concerns=found)

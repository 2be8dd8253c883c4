"""What the ports of one open file share."""

from __future__ import annotations

from dataclasses import dataclass

from stagewright.adapters.sqlite.feed import Feed
from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.migrations import Namespace
from stagewright.adapters.sqlite.reader import Reader
from stagewright.adapters.sqlite.writer import Writer
from stagewright.domain.errors import StoreFailed
from stagewright.ports.health import PortHealth
from stagewright.ports.system import IClock


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
        try:
            self.reader.rows("select_meta", ("reserved",))
        except StoreFailed as error:
            failure = error
        if failure is None:
            return PortHealth(ok=True, durability="process", detail=where)
        return PortHealth(ok=False, durability="process", detail=f"{where}: {failure}")

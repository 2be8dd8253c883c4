"""Live events: what happens, told to whoever follows, from where they left off."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

HEARTBEAT = "heartbeat"
NOW, START = "now", "start"
"""Positions of the global stream: from now on; from the oldest entry that is kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants to hear; None and empty do not filter. All that is given must hold."""

    workflow_ids: frozenset[str] = frozenset()
    definition: str | None = None
    """Name of the definition."""
    label: tuple[str, str] | None = None
    kinds: frozenset[str] = frozenset()
    """Such as `STAGE_COMPLETE`."""
    statuses: frozenset[str] = frozenset()
    """Only events that leave their workflow in one of these."""
    notes: bool = True
    """Also what agents log, call and store."""
    deltas: bool = False
    """Also text as agents stream it."""


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One message of a stream."""

    event: str
    """The kind of an event in capitals (`STAGE_COMPLETE`), or a word of the stream itself:
    `snapshot`, `gap`, `end`, `closed`, `delta`, `health`, `heartbeat`."""
    data: dict[str, Any]
    id: str | None = None
    """The position behind this message; None for what is ephemeral."""


class ILive(Protocol):
    """Streams. Order holds per workflow; each event comes once behind the position given."""

    def events(self, wanted: Wanted, after: str | None = None) -> AsyncGenerator[LiveMessage]:
        """Follow all workflows behind a position (`now` when None), without end.

        A position that was trimmed away gives `gap` and then `snapshot`. Raise CursorInvalid for
        what was never a position.
        """
        ...

    def workflow_events(
        self, workflow_id: str, after: str | None = None, wanted: Wanted | None = None
    ) -> AsyncGenerator[LiveMessage]:
        """Follow one workflow behind a position (its beginning when None) until it has ended.

        The last message is `end`. Raise NotFound, and CursorInvalid for what was never a position.
        """
        ...

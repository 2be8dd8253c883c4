"""What happens in all workflows, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import orjson

from stagewright.domain.errors import CursorExpired, Unreachable
from stagewright.ports.message_bus import FeedEntry, IMessageBus

_PAGE = 200
_WAIT_S = 5.0
_PAUSE_S = 1.0
"""After the backend did not answer."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of one workflow."""

    workflow_id: str
    at_ms: int
    event: Mapping[str, Any]


async def happenings(bus: IMessageBus) -> AsyncIterator[Happening]:
    """Yield every event from now on. What was trimmed away, or came while silent, is left out."""
    cursor = "now"
    while True:
        try:
            entries, cursor = await bus.replay(cursor, _PAGE, _WAIT_S)
        except CursorExpired:
            cursor = "now"
            continue
        except Unreachable:
            await anyio.sleep(_PAUSE_S)
            continue
        for entry in entries:
            for happening in _of_entry(entry):
                yield happening


def _of_entry(entry: FeedEntry) -> list[Happening]:
    if entry.kind != "step":
        return []
    record = orjson.loads(entry.body)
    return [
        Happening(entry.workflow_id, record["at_ms"], event) for event in record.get("events", ())
    ]

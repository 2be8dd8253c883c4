"""Live events through a door, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import orjson

from stagewright.adapters.http.client import DoorClient
from stagewright.ports.live import HEARTBEAT, LiveMessage, Wanted

_EVERYTHING = Wanted()


class HttpLive:
    """`ILive` over HTTP: one connection for each stream; who follows connects again."""

    def __init__(self, client: DoorClient) -> None:
        self._client = client

    async def events(self, wanted: Wanted, after: str | None = None) -> AsyncGenerator[LiveMessage]:
        """Follow all workflows behind a position."""
        parameters: dict[str, Any] = {
            "workflow_id": sorted(wanted.workflow_ids),
            "definition": wanted.definition,
            "label": "=".join(wanted.label) if wanted.label else None,
            **_chosen(wanted),
        }
        async with aclosing(self._stream("/events", parameters, after)) as messages:
            async for message in messages:
                yield message

    async def workflow_events(
        self, workflow_id: str, after: str | None = None, wanted: Wanted | None = None
    ) -> AsyncGenerator[LiveMessage]:
        """Follow one workflow behind a position, to its end."""
        path = f"/workflows/{quote(workflow_id, safe='')}/events"
        async with aclosing(self._stream(path, _chosen(wanted or _EVERYTHING), after)) as messages:
            async for message in messages:
                yield message

    async def _stream(
        self, path: str, parameters: Mapping[str, Any], after: str | None
    ) -> AsyncGenerator[LiveMessage]:
        last = after or ""
        async with aclosing(self._client.events(path, parameters, after)) as events:
            async for event in events:
                id_ = event.id if event.id != last else None
                last = event.id
                if event.data:
                    yield LiveMessage(event.event, orjson.loads(event.data), id_)
                elif id_:
                    yield LiveMessage(HEARTBEAT, {}, id_)


def _chosen(wanted: Wanted) -> dict[str, Any]:
    return {
        "kind": sorted(wanted.kinds),
        "status": sorted(wanted.statuses),
        "notes": wanted.notes,
        "deltas": wanted.deltas,
    }

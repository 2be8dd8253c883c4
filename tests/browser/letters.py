"""Results that nobody can apply, put into the inbox of a store whose server is down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import orjson

from stagewright.domain.ids import partition_of
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.ports.message_bus import Message, Topic


def result_of(workflow_id: str, stage: str, **changes: Any) -> dict[str, Any]:
    """Return the result of a stage's first attempt, as an agent would send it."""
    data = {"workflow_id": workflow_id, "stage": stage, "status": "success"}
    return {
        "specversion": "1.0",
        "id": "from-a-stranger",
        "source": "elsewhere",
        "type": "stagewright.STAGE_RESULT",
        "subject": workflow_id,
        "time": "2026-01-31T12:00:00Z",
        "stage": stage,
        "task": f"{workflow_id}/{stage}/1/1",
        "attempt": 1,
        "leasetoken": 1_000_000,
        "data": {**data, **changes},
    }


def put(folder: Path, workflow_id: str, *bodies: bytes) -> None:
    """Put messages into the inbox of a workflow's partition."""
    settings = Settings(url=f"sqlite:///{folder / 'state.db'}")
    # The browser's driver has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(anyio.run, _put, settings, workflow_id, bodies).result()


async def _put(settings: Settings, workflow_id: str, bodies: tuple[bytes, ...]) -> None:
    async with opened(settings) as container:
        backend, now_ms = container.backend(), container.clock().now_ms()
        messages = [Message(workflow_id, body) for body in bodies]
        assert partition_of(workflow_id) < backend.partitions
        await backend.bus.publish(Topic.INBOX, messages, now_ms)


def unreadable(workflow_id: str, stage: str) -> bytes:
    """Return a result whose status is not one that there is."""
    return orjson.dumps(result_of(workflow_id, stage, status="splendid", output=None))

"""Task records as they are packed in the hash `tasks` (see functions/shared/record.lua)."""

from __future__ import annotations

import struct
from typing import Literal

from stagewright.ports.task import TaskRecord

_HEAD = struct.Struct(">BBBHQQQQQQ")
_STATES: tuple[Literal["queued", "leased", "done", "suspended"], ...] = (
    "queued",
    "leased",
    "done",
    "suspended",
)


def unpack_record(
    task_id: str, packed: bytes, expires_at_ms: int | None, position: int | None = None
) -> TaskRecord:
    """Read a packed record; its expiry and place lie elsewhere."""
    state, _, priority, lost, token, _, queued, claimed, deadline, _ = _HEAD.unpack_from(packed)
    lane, holder, *_ = packed[_HEAD.size :].split(b"\0", 2)
    return TaskRecord(
        task_id=task_id,
        state=_STATES[state - 1],
        lane=lane.decode(),
        priority=priority,
        token=token,
        holder=holder.decode() or None,
        queued_at_ms=queued,
        claimed_at_ms=claimed or None,
        expires_at_ms=expires_at_ms,
        deadline_at_ms=deadline or None,
        lost=lost,
        position=position,
    )

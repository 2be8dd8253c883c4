"""Tasks: as they are queued, leased, proved and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stagewright.domain.records import Record


class NewTask(Record, frozen=True):
    """A task to be queued by a commit."""

    task_id: str
    """`workflow_id/stage/visit/attempt`."""
    lane: str
    """`agent@major.minor`."""
    priority: int
    """0 (most urgent) to 3."""
    timeout_s: float
    """Longest execution, from claim to completion."""
    body: bytes
    """JSON for the runner: input, feedback, contract, trace."""


class TaskLease(Record, frozen=True):
    """Proof of the right to finish a task."""

    task_id: str
    token: int


class ClaimedTask(Record, frozen=True):
    """A task leased to the caller until `expires_at_ms`."""

    task_id: str
    token: int
    lane: str
    priority: int
    body: bytes
    queued_at_ms: int
    expires_at_ms: int
    deadline_at_ms: int
    """The lease is never extended beyond this instant."""
    lost: int
    """Leases of this task that were lost before."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What is known of a task that is in flight."""

    task_id: str
    state: Literal["queued", "leased", "done", "suspended"]
    """`done`: its result lies in the inbox. `suspended`: its workflow is paused."""
    lane: str
    priority: int
    token: int
    """0 before the first claim."""
    holder: str | None
    queued_at_ms: int
    claimed_at_ms: int | None
    expires_at_ms: int | None
    deadline_at_ms: int | None
    lost: int
    position: int | None = None
    """Place in its lane while queued: 0 is next. Only `inspect` fills it."""

"""What becomes of a task whose lease ran out."""

from __future__ import annotations

from enum import Enum

LOST_LIMIT = 3
"""So many lost leases end the attempt: whatever the task is, it kills its agents."""


class LeaseFate(Enum):
    """What the orchestrator does about an expired lease."""

    REQUEUE = "requeue"
    TIMED_OUT = "timed_out"
    AGENT_LOST = "agent_lost"


def fate(deadline_at_ms: int | None, lost: int, now_ms: int) -> LeaseFate:
    """Decide on a lease that expired, with `lost` leases of the task lost before."""
    if deadline_at_ms is not None and deadline_at_ms <= now_ms:
        return LeaseFate.TIMED_OUT
    return LeaseFate.AGENT_LOST if lost + 1 >= LOST_LIMIT else LeaseFate.REQUEUE

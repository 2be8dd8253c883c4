"""What a runner of agents can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from stagewright.application.context import Bounds
from stagewright.domain.bounded_json import MAX_INLINE_BYTES


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """Durations in seconds."""

    lease_s: float = 30.0
    """A task is lost so long after its holder's last heartbeat; one goes out every third of it."""
    grace_s: float = 20.0
    """How long tasks may go on after `stop`."""
    sweep_s: float = 1.0
    """How soon work is found whose hint was lost, when there is work."""
    sweep_most_s: float = 3.0
    """The same when nothing was found for a while."""
    batch: int = 256
    """Most results or claims in one call."""
    presence_s: float = 5.0
    presence_ttl_s: float = 15.0
    inline_bytes: int = MAX_INLINE_BYTES
    """A bigger output goes to the blob store."""
    bounds: Bounds = field(default_factory=Bounds)
    development: bool = False
    """Register a contract that changed under its version as `VERSION+dev.HASH`."""

"""What a port says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["none", "window", "process", "replicated"]
"""none: memory. window: the last moments may be lost. process: survives the kill of a process.
replicated: survives the loss of a server."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something about a store that people should mend."""

    check: str
    """What was looked at, in a word or two: `memory`, `password`, `file system`."""
    serious: bool
    """Whether work is or may be lost or held up by it; else it is worth knowing."""
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PortHealth:
    """Whether a port's backend answers, how durable it is, and what is wrong."""

    ok: bool
    durability: Durability
    detail: str = ""
    refusing: str = ""
    """Why changes are refused although reading works; empty while they are accepted."""
    concerns: tuple[Concern, ...] = ()
    """What people should mend; each backend tells it at its workflow store alone."""

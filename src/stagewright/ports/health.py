"""What a port says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["none", "window", "process", "replicated"]
"""none: memory. window: the last moments may be lost. process: survives the kill of a process.
replicated: survives the loss of a server."""


@dataclass(frozen=True, slots=True)
class PortHealth:
    """Whether a port's backend answers, how durable it is, and what is wrong."""

    ok: bool
    durability: Durability
    detail: str = ""

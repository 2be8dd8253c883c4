"""Whether a process makes progress: what a load balancer and a supervisor ask."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Check(BaseModel):
    """One thing that must hold. It names no address, no name and no secret."""

    model_config = ConfigDict(frozen=True)

    check: str
    ok: bool
    detail: str = ""


class ReadyView(BaseModel):
    """Whether work gets on here."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    checks: list[Check]


class IReadiness(Protocol):
    """Asked by anybody, often."""

    async def look(self) -> ReadyView:
        """Return what was found, at most a second ago."""
        ...

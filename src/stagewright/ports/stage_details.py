"""One stage of a workflow with all that belongs to it: contract, input, and values by their key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class StageDetail(BaseModel):
    """What a stage is and what it was given, in its newest visit."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    description: str = ""
    agent: str | None = None
    """`NAME@^MAJOR`; None for stages without an agent."""
    contract: dict[str, Any] | None = None
    """The contract's JSON; None where it was not checked."""
    input: bytes | None = None
    """JSON as the stage is given it; None where it cannot be told."""
    definition: dict[str, Any] = {}
    """The stage as the definition has it."""


class IStageDetails(Protocol):
    """What the stages of workflows are made of."""

    async def stage(self, workflow_id: str, stage: str) -> StageDetail:
        """Return a stage's detail; NotFound for an unknown workflow or stage."""
        ...

    async def values(self, workflow_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return stored values (JSON) by output key, big ones whole; unknown keys are left out."""
        ...

"""The job that is measured: six stages, about 200 bytes in and out, contracts on both sides."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from stagewright.application.agents import Agent, agent
from stagewright.domain.builder import Workflow, stage
from stagewright.domain.definition import Definition

STAGES = ("initialization", "scaffolding", "validation", "e2e", "integration", "deployment")


class Parcel(BaseModel):
    """What goes from stage to stage."""

    number: int
    name: str
    hops: int = 0
    ballast: str


def parcel(number: int) -> dict[str, object]:
    """Return an input of about 200 bytes."""
    return {"number": number, "name": f"workflow {number}", "hops": 0, "ballast": "x" * 140}


def _no_op(name: str) -> Agent[..., Any]:
    async def hand_on(task: Parcel) -> Parcel:
        return task.model_copy(update={"hops": task.hops + 1})

    return agent(name, version="1.0.0")(hand_on)


AGENTS: tuple[Agent[..., Any], ...] = tuple(_no_op(name) for name in STAGES)


def definition() -> Definition:
    """Return the six-stage definition."""
    return Workflow("bench", *(stage(a.name, agent=a) for a in AGENTS), input=Parcel).definition

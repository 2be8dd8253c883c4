"""Six stages in a row. Agents journal that they begin, and stop where a gate is shut.

`ASSEMBLY` names a folder: its file `journal` gets a line `WORKFLOW STAGE VISIT PID` for each
execution, and a file `shut-STAGE` in it keeps the stage from ending.
"""

from __future__ import annotations

import os
from pathlib import Path

import anyio
from pydantic import BaseModel

from stagewright import AgentContext, Workflow, agent, stage

STAGES = ("cut", "drill", "bend", "weld", "paint", "pack")


class Part(BaseModel):
    """What goes from stage to stage; each adds its name."""

    number: int
    done: list[str] = []


def _journal(ctx: AgentContext) -> None:
    """Append one line with a single write."""
    line = f"{ctx.workflow_id} {ctx.stage} {ctx.visit} {os.getpid()}\n"
    with (_folder() / "journal").open("ab", buffering=0) as journal:
        journal.write(line.encode())


def _folder() -> Path:
    return Path(os.environ["ASSEMBLY"])


def _worker(name: str):  # noqa: ANN202 - the decorator knows
    @agent(name)
    async def work(part: Part, ctx: AgentContext) -> Part:
        _journal(ctx)
        await ctx.log("at work")
        await ctx.artifact(f"{name}.txt", b"a sketch")
        while await anyio.Path(_folder() / f"shut-{name}").exists():  # noqa: ASYNC110 - a file
            await anyio.sleep(0.02)
        return Part(number=part.number, done=[*part.done, name])

    return work


workers = [_worker(name) for name in STAGES]

assembly = Workflow("assembly", *(stage(w.contract.name, agent=w) for w in workers), input=Part)

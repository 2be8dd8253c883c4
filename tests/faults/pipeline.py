"""A five-stage pipeline whose agents note every execution in a journal before they answer."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import orjson
from pydantic import BaseModel

from stagewright import AgentContext, Retry, Workflow, agent, stage

WORK_S = float(os.environ.get("WORK_S", "0"))
STAGES = ("dig", "lay", "build", "paint", "open")


class House(BaseModel):
    """What goes from stage to stage; each adds its name."""

    number: int
    done: list[str] = []


def _note(ctx: AgentContext, output: House) -> None:
    """Append one line with a single write: a kill cuts one line at most."""
    if os.environ.get("JOURNAL") == "off":
        return
    line = orjson.dumps(
        {
            "workflow_id": ctx.workflow_id,
            "stage": ctx.stage,
            "visit": ctx.visit,
            "output": output.model_dump(),
        }
    )
    path = Path(os.environ["JOURNAL_FOLDER"]) / f"{os.getpid()}.jsonl"
    with path.open("ab", buffering=0) as journal:
        journal.write(line + b"\n")


def _worker(name: str):  # noqa: ANN202 - the decorator knows
    @agent(name, version="1.0.0")
    async def work(task: House, ctx: AgentContext) -> House:
        await anyio.sleep(WORK_S)
        output = House(number=task.number, done=[*task.done, name])
        _note(ctx, output)
        return output

    return work


dig, lay, build, paint, open_ = (_worker(name) for name in STAGES)

pipeline = Workflow(
    "houses",
    *(
        stage(name, agent=a, retry=Retry(attempts=10, delay_s=0.1, max_delay_s=1.0))
        for name, a in zip(STAGES, (dig, lay, build, paint, open_), strict=True)
    ),
    input=House,
)

"""Runs one agent in a process of its own and holds it where it first uses a tool, to be killed.

    python -m tests.acceptance.delivery.held_agent STAGE WORKFLOW_ID TASK_JSON

Prints a line once the agent is held.
"""

from __future__ import annotations

import sys
from typing import Any

import anyio
from pydantic import BaseModel

from examples.delivery.e2e import try_out
from examples.delivery.results import CommitTask, ScaffoldTask
from examples.delivery.scaffolding import scaffold
from examples.delivery.validation import validate
from tests.acceptance.delivery.driver import RecordingContext

AGENTS: dict[str, tuple[Any, type[BaseModel]]] = {
    "scaffolding": (scaffold, ScaffoldTask),
    "validation": (validate, CommitTask),
    "e2e": (try_out, CommitTask),
}


class HoldingContext(RecordingContext):
    async def tool_call(self, name: str, arguments: Any = None) -> str:
        sys.stdout.write(f"held before {name} {arguments}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()
        return name


def main(stage: str, workflow_id: str, task: str) -> None:
    agent, model = AGENTS[stage]
    anyio.run(agent, model.model_validate_json(task), HoldingContext(workflow_id, stage))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A workflow with many branches, whose results several runners decide at the same time."""

from __future__ import annotations

from typing import Any

from stagewright.application.commands import Commands
from stagewright.domain.definition import Definition
from stagewright.domain.events import StageComplete, decode_step
from tests.faults.crashes import Scene
from tests.faults.served import DecidingScene


def joining(branches: int) -> type[Scene]:
    """Return a scene with so many branches."""
    stages: list[dict[str, Any]] = [
        {
            "name": "all",
            "kind": "parallel",
            "branches": {
                f"to-b{number}": [{"name": f"b{number}", "agent": "worker"}]
                for number in range(branches)
            },
        },
        {"name": "after", "agent": "worker"},
    ]

    class Joining(DecidingScene):
        definition = Definition.model_validate({"name": "join", "stages": stages})
        outcome = {"worked": "after"}  # noqa: RUF012 - never changed
        processes = ("orchestrator", "orchestrator", "runner", "runner", "runner", "client")

        async def sign(self, commands: Commands) -> None:
            """Nobody is asked anything."""
            del commands
            self.approved = True

        async def joins(self) -> list[int]:
            """Return how many branches had completed at each completion of the group."""
            log = await self.backend.store.log(self.workflow_id, "steps", 0, 10_000)
            done, found = 0, []
            for body in log:
                for event in decode_step(body).events:
                    if isinstance(event, StageComplete):
                        done += event.stage.startswith("b")
                        found += [done] if event.stage == "all" else []
            return found

        async def examined(self) -> list[str]:
            """Say what is wrong with the joins."""
            joins = await self.joins()
            return [] if joins == [branches] else [f"joined after {joins} branches"]

    return Joining

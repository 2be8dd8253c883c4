"""What the agents of this example use of the context that the runner hands them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Context(Protocol):
    """The part of `stagewright.AgentContext` used here."""

    @property
    def workflow_id(self) -> str:
        """The workflow this task belongs to."""

    @property
    def visit(self) -> int:
        """The how manieth time the workflow entered the stage, from 1."""

    @property
    def attempt(self) -> int:
        """The how manieth dispatch within the visit, from 1."""

    @property
    def idempotency_key(self) -> str:
        """`workflow/stage/visit`: equal for all attempts at the same work."""

    @property
    def feedback(self) -> Sequence[Mapping[str, Any]]:
        """Results of earlier rounds: `{stage, visit, errors, output}`, oldest first."""

    @property
    def cancelled(self) -> bool:
        """Whether the workflow no longer wants the result."""

    async def log(self, text: str) -> None:
        """Note a line in the log of the task."""

    async def tool_call(self, name: str, args: Any) -> None:
        """Note that a tool is about to be used."""

    async def tool_result(self, name: str, result: Any) -> None:
        """Note what a tool came to."""

    async def artifact(self, name: str, content: Path | bytes) -> None:
        """Keep a file with the workflow."""

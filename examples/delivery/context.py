"""What the agents of this example use of the context that the runner hands them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Feedback(Protocol):
    """What an earlier round said; `output` is the reviewer's result as JSON."""

    @property
    def output(self) -> Any:
        """The result of the stage that sent the work back, None if it gave none."""


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
    def feedback(self) -> Sequence[Feedback]:
        """What earlier rounds said about the work, oldest first."""

    @property
    def cancelled(self) -> bool:
        """Whether the workflow no longer wants the result."""

    async def log(self, message: str) -> None:
        """Note a line in the log of the task."""

    async def tool_call(self, name: str, arguments: Any = None) -> str:
        """Note that a tool is about to be used; the id goes with the result."""

    async def tool_result(self, call: str, result: Any = None) -> None:
        """Note what a tool came to."""

    async def artifact(self, name: str, content: bytes) -> Any:
        """Keep a file with the workflow."""

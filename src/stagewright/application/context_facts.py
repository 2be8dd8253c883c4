"""What an agent knows of its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stagewright.domain.ids import TaskId


class Feedback(NamedTuple):
    """What an earlier round said about the work."""

    stage: str
    """Who said it; the stage itself where its own output broke its contract."""
    visit: int
    outcome: str | None
    errors: tuple[Mapping[str, Any], ...]
    output: Any


class Facts:
    """What a task is."""

    __slots__ = ("_cancelled", "feedback", "input", "task", "traceparent")

    def __init__(
        self,
        task: TaskId,
        input_: Any,
        feedback: tuple[Feedback, ...] = (),
        traceparent: str | None = None,
    ) -> None:
        self.task = task
        self.input = input_
        """The input as the agent's type."""
        self.feedback = feedback
        """Errors and reviews of earlier rounds, oldest first; empty in the first."""
        self.traceparent = traceparent
        """W3C trace context of the workflow."""
        self._cancelled = False

    @property
    def workflow_id(self) -> str:
        """The workflow."""
        return self.task.workflow_id

    @property
    def stage(self) -> str:
        """The stage."""
        return self.task.stage

    @property
    def visit(self) -> int:
        """The round of rework, from 1."""
        return self.task.visit

    @property
    def attempt(self) -> int:
        """The dispatch within this visit, from 1."""
        return self.task.attempt

    @property
    def idempotency_key(self) -> str:
        """`workflow/stage/visit`: the same for every attempt at this visit."""
        return f"{self.task.workflow_id}/{self.task.stage}/{self.task.visit}"

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: stop, it will be thrown away."""
        return self._cancelled

    def cancel(self) -> None:
        """Tell the agent that its result is not wanted."""
        self._cancelled = True

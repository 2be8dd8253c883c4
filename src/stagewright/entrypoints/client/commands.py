"""Changes to workflows. Each was committed when it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from stagewright.entrypoints.client.session import Session, request_of
from stagewright.ports.control import CommandReply, CommandRequest, Started, StartRequest
from stagewright.ports.views import ReplayReport

_ANYBODY = "anonymous"


class Decision(TypedDict, total=False):
    """What may be said with an approval or rejection."""

    stage: str
    """Needed when more than one approval waits."""
    visit: int
    """The decision is refused when another round has begun."""
    shown_hash: str
    """It is refused when something else is shown."""
    groups: Sequence[str]
    """Groups that `by` decides for."""
    reason: str
    """A comment."""
    data: Any
    """The form, filled in."""


class WorkflowCommands(Session):
    """Start, steer and end workflows."""

    async def start(  # noqa: PLR0913 - all that a start may say
        self,
        definition: str,
        input: Any = None,  # noqa: A002 - the word of the definition
        *,
        key: str | None = None,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        name: str = "",
        description: str = "",
    ) -> Started:
        """Start `NAME[@VERSION]`, once per `key`; `name` is what people call this workflow."""
        given = {
            "definition": definition,
            "input": input,
            "key": key,
            "priority": priority,
            "labels": dict(labels or {}),
            "deadline_s": deadline_s,
            "name": name,
            "description": description,
        }
        request = request_of(StartRequest, given)
        return await self._call(lambda to: to.commands.start(request))

    async def pause(
        self, workflow_id: str, *, by: str = _ANYBODY, reason: str = ""
    ) -> CommandReply:
        """Let nothing new begin until resumed."""
        return await self._command(workflow_id, kind="pause", by=by, reason=reason)

    async def resume(self, workflow_id: str, *, by: str = _ANYBODY) -> CommandReply:
        """Go on, first with what was recorded meanwhile."""
        return await self._command(workflow_id, kind="resume", by=by)

    async def cancel(
        self, workflow_id: str, *, by: str = _ANYBODY, reason: str = ""
    ) -> CommandReply:
        """End the workflow now; running agents are told."""
        return await self._command(workflow_id, kind="cancel", by=by, reason=reason)

    async def retry(
        self,
        workflow_id: str,
        *,
        stage: str | None = None,
        input: Any = None,  # noqa: A002 - the word of the definition
        by: str = _ANYBODY,
    ) -> CommandReply:
        """Dispatch a held stage again, or start a successor of a finished workflow.

        The reply names the successor. `input` replaces its input.
        """
        return await self._command(workflow_id, kind="retry", stage=stage, data=input, by=by)

    async def signal(
        self, workflow_id: str, name: str, data: Any = None, *, by: str = _ANYBODY
    ) -> CommandReply:
        """Tell a workflow that something outside happened; kept when nobody waits for it yet."""
        return await self._command(workflow_id, kind="signal", name=name, data=data, by=by)

    async def approve(
        self, workflow_id: str, *, by: str, **decision: Unpack[Decision]
    ) -> CommandReply:
        """Approve as `by`; more may be said, see `Decision`."""
        return await self._command(workflow_id, kind="approve", by=by, **decision)

    async def reject(
        self, workflow_id: str, *, by: str, **decision: Unpack[Decision]
    ) -> CommandReply:
        """Reject as `by`; more may be said, see `Decision`."""
        return await self._command(workflow_id, kind="reject", by=by, **decision)

    async def replay(self, workflow_id: str, *, repair: bool = False) -> ReplayReport:
        """Compare log and snapshot; with `repair`, re-emit what is missing in flight."""
        return await self._call(lambda to: to.commands.replay(workflow_id, repair=repair))

    async def _command(self, workflow_id: str, **values: Any) -> CommandReply:
        request = request_of(CommandRequest, values)
        return await self._call(lambda to: to.commands.command(workflow_id, request))

"""Tells agents that nobody waits for their work any more, so that they need not find out late.

Only a hint: an agent that misses it learns the same when its lease is not renewed.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from stagewright.domain.errors import StagewrightError
from stagewright.ports.commit import Commit
from stagewright.ports.message_bus import IMessageBus, Message, Topic

log = structlog.get_logger(__name__)

CANCEL = b"cancel"
"""Body of a WAKE message which says that the workflow it names wants some task no longer."""


def withdraws(commit: Commit) -> bool:
    """Whether a commit ends tasks that did not just report."""
    reported = {fence.task_id for fence in commit.fences}
    return any(task_id not in reported for task_id in commit.closed_tasks)


async def tell_agents(bus: IMessageBus, commits: Iterable[Commit], now_ms: int) -> None:
    """Hint at the workflows of commits that took effect and withdrew tasks."""
    messages = [Message(c.workflow_id, CANCEL) for c in commits if withdraws(c)]
    if not messages:
        return
    try:
        await bus.publish(Topic.WAKE, messages, now_ms)
    except StagewrightError as error:
        log.info("withdrawal_not_told", workflows=len(messages), error=str(error))

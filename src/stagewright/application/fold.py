"""Folds the work for one workflow into one step of its stepper. Pure: nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from stagewright.application.inbox import Work, to_result
from stagewright.application.stepper import Stepper
from stagewright.domain.messages import TaskExpired, TimerFired
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IIdentifiers

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Fold:
    """What became of the work of one workflow."""

    stepper: Stepper
    ignored: list[InboxMessage] = field(default_factory=list)
    """Messages that changed nothing, and need not be kept."""
    refused: list[tuple[Work, str]] = field(default_factory=list)
    """What must become a dead letter, and why."""


def fold(items: list[Work], stepper: Stepper, now_ms: int, ids: IIdentifiers) -> Fold:
    """Apply every item in order; OutputMissing when a big output must be supplied first."""
    folded = Fold(stepper)
    for item in items:
        reason = _apply(stepper, item, now_ms, ids)
        if reason is not None:
            folded.refused.append((item, reason))
        elif item.inbox is not None and item.inbox.position not in stepper.consumed:
            folded.ignored.append(item.inbox)
    if stepper.changed:
        stepper.consumed.extend(message.position for message in folded.ignored)
        stepper.commit()  # raises OutputMissing before anything is sent
    return folded


def _apply(stepper: Stepper, item: Work, now_ms: int, ids: IIdentifiers) -> str | None:
    """Apply one item; return why it must become a dead letter, None when it need not."""
    message = item.message
    if item.result is not None:
        message = to_result(item.result, stepper.compiled)
        if isinstance(message, str):
            return message
    decision = stepper.apply(message, item.cause, now_ms)
    if decision.events:
        reason = item.broken or _violation(message)
        item.settle(stepper, reason, ids.uuid7() if reason else "", now_ms)
        return None
    log.info("ignored", workflow_id=item.workflow_id, cause=item.cause, why=decision.remark)
    if isinstance(message, TimerFired):
        stepper.stale_timers.append(message.timer_id)
    elif isinstance(message, TaskExpired):
        stepper.stale_tasks.append(str(message.task))
    return item.broken or None


def _violation(message: object) -> str:
    """Say how a result broke its contract; empty when it did not."""
    violations = getattr(message, "violations", ())
    if not violations:
        return ""
    first = violations[0]
    return f"contract violated at {first.get('path') or 'output'}: {first['message']}"

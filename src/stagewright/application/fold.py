"""Folds the work for one workflow into one step of its stepper. Pure: nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass, field

from stagewright.application.inbox import Work, to_result
from stagewright.application.stepper import Stepper
from stagewright.domain.messages import TaskExpired, TimerFired
from stagewright.ports.message_bus import InboxMessage
from stagewright.ports.system import IIdentifiers


@dataclass(slots=True)
class Fold:
    """What became of the work of one workflow."""

    stepper: Stepper
    ignored: list[tuple[Work, str]] = field(default_factory=list)
    """What changed nothing and need not be kept, and why."""
    refused: list[tuple[Work, str]] = field(default_factory=list)
    """What must become a dead letter, and why."""

    @property
    def messages(self) -> list[InboxMessage]:
        """The messages among what changed nothing."""
        return [item.inbox for item, _ in self.ignored if item.inbox is not None]


def fold(items: list[Work], stepper: Stepper, now_ms: int, ids: IIdentifiers) -> Fold:
    """Apply every item in order; OutputMissing when a big output must be supplied first."""
    folded = Fold(stepper)
    for item in items:
        _apply(folded, item, now_ms, ids)
    if stepper.changed:
        stepper.consumed.extend(message.position for message in folded.messages)
        stepper.commit()  # raises OutputMissing before anything is sent
    return folded


def _apply(folded: Fold, item: Work, now_ms: int, ids: IIdentifiers) -> None:
    """Apply one item."""
    stepper, message = folded.stepper, item.message
    if item.result is not None:
        message = to_result(item.result, stepper.compiled)
        if isinstance(message, str):
            folded.refused.append((item, message))
            return
    decision = stepper.apply(message, item.cause, now_ms)
    if decision.events:
        reason = item.broken or _violation(message)
        item.settle(stepper, reason, ids.uuid7() if reason else "", now_ms)
        if item.unread:
            folded.refused.append((item, reason))
        return
    if isinstance(message, TimerFired):
        stepper.stale_timers.append(message.timer_id)
    elif isinstance(message, TaskExpired):
        stepper.stale_tasks.append(str(message.task))
    if item.broken:
        folded.refused.append((item, item.broken))
        return
    folded.ignored.append((item, decision.remark))


def _violation(message: object) -> str:
    """Say how a result broke its contract; empty when it did not."""
    violations = getattr(message, "violations", ())
    if not violations:
        return ""
    first = violations[0]
    return f"contract violated at {first.get('path') or 'output'}: {first['message']}"

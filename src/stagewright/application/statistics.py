"""How finished workflows went: rates and durations of a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stagewright.domain.workflow import Status, WorkflowState
from stagewright.ports.catalogue import StageTimes, Statistics


def statistics_of(name: str, states: Sequence[WorkflowState], *, whole: bool) -> Statistics:
    """Return rates and durations of workflows that have ended."""
    count = {status: sum(state.status is status for state in states) for status in Status}
    completed, failed = count[Status.COMPLETED], count[Status.FAILED]
    took = sorted(
        state.finished_at_ms - state.created_at_ms
        for state in states
        if state.status is Status.COMPLETED and state.finished_at_ms is not None
    )
    return Statistics(
        name=name,
        sampled=len(states),
        whole=whole,
        completed=completed,
        failed=failed,
        cancelled=count[Status.CANCELLED],
        success_rate=round(completed / (completed + failed), 4) if completed + failed else None,
        p50_ms=quantile(took, 0.5),
        p95_ms=quantile(took, 0.95),
        stages=_stages(states),
    )


def quantile(ordered: Sequence[int], share: float) -> int | None:
    """Return the value at or below which so many lie; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _stages(states: Sequence[WorkflowState]) -> list[StageTimes]:
    took: dict[str, list[int]] = {}
    for state in states:
        for stage, record in state.stages.items():
            if record.ended_at_ms is not None and record.started_at_ms:
                took.setdefault(stage, []).append(record.ended_at_ms - record.started_at_ms)
    return [
        StageTimes(
            stage=stage,
            count=len(times),
            p50_ms=quantile(sorted(times), 0.5) or 0,
            p95_ms=quantile(sorted(times), 0.95) or 0,
        )
        for stage, times in took.items()
    ]

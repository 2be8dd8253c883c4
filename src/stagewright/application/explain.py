"""Why a workflow does not move by itself, who can change that, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stagewright.domain.commands import GROUP
from stagewright.domain.plan import Plan
from stagewright.domain.workflow import (
    QUARANTINED,
    ApprovalWait,
    GroupWait,
    HeldWait,
    RetryWait,
    SignalWait,
    TaskWait,
    TimerWait,
    WorkflowState,
)
from stagewright.ports.task import TaskRecord
from stagewright.ports.views import AgentView, Waiting


@dataclass(frozen=True, slots=True)
class Scene:
    """What an explanation looks at besides the workflow."""

    plan: Plan
    records: Mapping[str, TaskRecord]
    agents: Sequence[AgentView]
    owner: str | None
    """The orchestrator of the workflow's partition."""
    sole: bool = False
    """Whether orchestrator and agents live in the one process that can open the backend."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """By task: the dead letter that its result has become, not applied by anybody."""


def explain(state: WorkflowState, scene: Scene) -> list[Waiting]:
    """Return every reason; empty only for workflows that have ended."""
    if state.status.terminal:
        return []
    reasons = list(_paused(state))
    for stage, wait in sorted(state.awaiting.items()):
        reasons.append(_EXPLAIN[type(wait)](state, scene, stage, wait))
    return reasons


def _paused(state: WorkflowState) -> Iterable[Waiting]:
    pause = state.paused
    if pause is not None:
        yield Waiting(
            stage=None,
            kind="paused",
            owner=pause.by,
            reason=f"paused by {pause.by}" + (f": {pause.reason}" if pause.reason else ""),
            since_ms=pause.at_ms,
            remedy=f"stagewright workflow resume {state.workflow_id}",
            detail={"recorded": len(state.parked)},
        )


def _task(state: WorkflowState, scene: Scene, stage: str, wait: TaskWait) -> Waiting:
    task_id = f"{state.workflow_id}/{stage}/{wait.visit}/{wait.attempt}"
    record = scene.records.get(task_id)
    if record is None:
        if any(parked.ref == task_id for parked in state.parked):
            return _waiting(stage, wait, "done", "people", "its result is recorded until resume")
        return _waiting(
            stage,
            wait,
            "missing",
            "the reconciler",
            "its task is not in the queue; it is put back within a minute",
            remedy=f"stagewright workflow replay {state.workflow_id} --repair",
        )
    return _RECORDS[record.state](scene, stage, wait, record)


def _queued(scene: Scene, stage: str, wait: TaskWait, record: TaskRecord) -> Waiting:
    alive = live_agents(scene.agents, record.lane)
    since = _instant(record.queued_at_ms)
    detail = {"lane": record.lane, "position": record.position, "live_agents": alive}
    if not alive:
        agent, _, level = record.lane.partition("@")
        wanted = f"{agent}@^{level.removesuffix('.0')}"
        return _waiting(
            stage,
            wait,
            "queued",
            f"whoever runs {agent}",
            f"queued since {since}, no live agent of {wanted}",
            remedy="stagewright dev MODULE"
            if scene.sole
            else f"stagewright agent run MODULE:{agent}",
            detail=detail,
        )
    ahead = record.position or 0
    return _waiting(
        stage,
        wait,
        "queued",
        f"{alive} live agent{'s' if alive > 1 else ''} of {record.lane}",
        f"queued since {since} at {ahead + 1} in {record.lane}",
        detail=detail,
    )


def _leased(_scene: Scene, stage: str, wait: TaskWait, record: TaskRecord) -> Waiting:
    holder = record.holder or "an agent"
    return Waiting(
        stage=stage,
        kind="leased",
        owner=holder,
        reason=f"leased by {holder} until {_instant(record.expires_at_ms)}",
        since_ms=record.claimed_at_ms or wait.since_ms,
        until_ms=record.expires_at_ms,
        detail={
            "attempt": wait.attempt,
            "visit": wait.visit,
            "lost": record.lost,
            "deadline_at_ms": record.deadline_at_ms,
        },
    )


def _done(scene: Scene, stage: str, wait: TaskWait, record: TaskRecord) -> Waiting:
    letter = scene.letters.get(record.task_id)
    if letter is not None:
        return _waiting(
            stage,
            wait,
            "done",
            "people",
            f"its result could not be applied and is the dead letter {letter}",
            remedy=f"stagewright dead-letter redrive {letter}",
            detail={"letter": letter},
        )
    if scene.owner is None:
        return _waiting(
            stage,
            wait,
            "done",
            "whoever runs an orchestrator",
            "its result is in the inbox, but no orchestrator owns the partition",
            remedy="stagewright serve",
        )
    return _waiting(stage, wait, "done", scene.owner, "its result is in the inbox, to be applied")


def _suspended(_scene: Scene, stage: str, wait: TaskWait, _record: TaskRecord) -> Waiting:
    return _waiting(stage, wait, "suspended", "people", "kept out of its lane until resume")


_RECORDS: dict[str, Callable[[Scene, str, TaskWait, TaskRecord], Waiting]] = {
    "queued": _queued,
    "leased": _leased,
    "done": _done,
    "suspended": _suspended,
}


def _retry(state: WorkflowState, scene: Scene, stage: str, wait: RetryWait) -> Waiting:
    return _waiting(
        stage,
        wait,
        "retry",
        _clock_owner(scene),
        f"attempt {wait.attempt} at {_instant(wait.at_ms)}; the one before: {wait.reason}",
        until_ms=wait.at_ms,
        remedy=f"stagewright workflow retry {state.workflow_id}",
        detail={"attempt": wait.attempt},
    )


def _timer(_state: WorkflowState, scene: Scene, stage: str, wait: TimerWait) -> Waiting:
    reason = f"waits until {_instant(wait.at_ms)}"
    return _waiting(stage, wait, "timer", _clock_owner(scene), reason, until_ms=wait.at_ms)


def _signal(state: WorkflowState, _scene: Scene, stage: str, wait: SignalWait) -> Waiting:
    limit = f" until {_instant(wait.at_ms)}" if wait.at_ms is not None else ""
    return _waiting(
        stage,
        wait,
        "signal",
        f"whoever sends {wait.signal}",
        f"waits for the signal {wait.signal}{limit}",
        until_ms=wait.at_ms,
        remedy=f"stagewright workflow signal {state.workflow_id} {wait.signal}",
        detail={"signal": wait.signal},
    )


def _approval(state: WorkflowState, _scene: Scene, stage: str, wait: ApprovalWait) -> Waiting:
    missing = wait.required - len(wait.votes)
    people = ", ".join(wait.approvers)
    return _waiting(
        stage,
        wait,
        "approval",
        people,
        f"waits for {missing} approval{'s' if missing > 1 else ''} of {people}",
        until_ms=wait.at_ms,
        remedy=f"stagewright workflow approve {state.workflow_id} --stage {stage} --as NAME"
        + _for_group(wait.approvers),
        detail={
            "approvers": list(wait.approvers),
            "required": wait.required,
            "decided": [vote.by for vote in wait.votes],
            "visit": wait.visit,
            "shown": wait.shown,
            "shown_hash": wait.shown_hash,
        },
    )


def _for_group(approvers: Sequence[str]) -> str:
    """Members of groups say which one they decide for; needed where nobody is named."""
    if not all(approver.startswith(GROUP) for approver in approvers):
        return ""
    return f" --group {approvers[0].removeprefix(GROUP)}"


def _group(_state: WorkflowState, _scene: Scene, stage: str, wait: GroupWait) -> Waiting:
    return _waiting(
        stage,
        wait,
        "group",
        "its branches",
        f"waits for {len(wait.expected)} of {len(wait.expected) + len(wait.ended)} branches",
        detail={"expected": list(wait.expected[:50])},
    )


def _held(state: WorkflowState, _scene: Scene, stage: str, wait: HeldWait) -> Waiting:
    return _waiting(
        stage,
        wait,
        "held",
        "people",
        f"{_why_held(wait.outcome)}: {wait.reason}",
        remedy=f"stagewright workflow retry {state.workflow_id} --stage {stage}",
        detail={"outcome": wait.outcome},
    )


def _why_held(outcome: str) -> str:
    return outcome if outcome == QUARANTINED else f"held because it ended as {outcome}"


_EXPLAIN: dict[type[Any], Callable[[WorkflowState, Scene, str, Any], Waiting]] = {
    TaskWait: _task,
    RetryWait: _retry,
    TimerWait: _timer,
    SignalWait: _signal,
    ApprovalWait: _approval,
    GroupWait: _group,
    HeldWait: _held,
}


def _waiting(  # noqa: PLR0913 - one argument per column
    stage: str,
    wait: Any,
    kind: str,
    owner: str,
    reason: str,
    *,
    until_ms: int | None = None,
    remedy: str = "",
    detail: dict[str, Any] | None = None,
) -> Waiting:
    return Waiting(
        stage=stage,
        kind=kind,
        owner=owner,
        reason=reason,
        since_ms=wait.since_ms,
        until_ms=until_ms,
        remedy=remedy,
        detail=detail or {},
    )


def _clock_owner(scene: Scene) -> str:
    return scene.owner or "no orchestrator is alive: start one with `stagewright serve`"


def _instant(at_ms: int | None) -> str:
    if at_ms is None:
        return "an unknown time"
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def live_agents(agents: Iterable[AgentView], lane: str) -> int:
    """Return how many live processes claim from a lane."""
    name = lane.partition("@")[0]
    return sum(lane in held.agents.get(name, {}).get("lanes", ()) for held in agents)

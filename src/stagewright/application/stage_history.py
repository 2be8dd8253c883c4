"""The rounds of one stage, told by the log: each step is folded, so each round sees its own past.

What a template made of the workflow as it was then is made again from the folded state: payloads
are written once and never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from stagewright.application.live import Live
from stagewright.application.usage import accumulate
from stagewright.domain import events as ev
from stagewright.domain.evolve import evolve, seal
from stagewright.domain.inputs import stage_input
from stagewright.domain.outputs import OutputMissing
from stagewright.domain.workflow import WorkflowState
from stagewright.ports.details import AttemptView, VisitView, VoteView

VISITS_KEPT = 1_000
Round = dict[str, Any]


class History:
    """Collects the rounds of one stage while the log is folded."""

    def __init__(self, live: Live, stage: str) -> None:
        self._live, self._stage = live, stage
        self._plan = live.compiled.plan.stages[stage]
        self._rounds: dict[int, Round] = {}
        self.state: WorkflowState | None = None

    def add(self, step: ev.StepRecord) -> None:
        """Fold one step; what it says of the stage is noted."""
        for event in step.events:
            id_ = self._live.state.workflow_id
            self.state = evolve(id_, self.state, event, step.n, step.at_ms)
            told: Any = event
            tell = _TOLD.get(type(event))
            if tell is not None and told.stage == self._stage:
                tell(self, event, step.at_ms)
            elif self._ends(event):
                self._over(step.at_ms)
        if self.state is not None:
            self.state = seal(self.state, step)

    def _ends(self, event: Any) -> bool:
        """Whether an event ends whatever the stage was doing."""
        if isinstance(event, ev.BranchesCancelled):
            return self._stage in event.stages
        return isinstance(event, ev.WorkflowCancelled | ev.WorkflowFailed)

    def visits(self) -> list[VisitView]:
        """Return the rounds, oldest first."""
        rounds = [self._rounds[visit] for visit in sorted(self._rounds)][-VISITS_KEPT:]
        return [VisitView(**each) for each in rounds]

    # --- what is told -------------------------------------------------------------------------

    def entered(self, event: Any, at_ms: int) -> None:
        """Begin a round, unless it began before."""
        if event.visit not in self._rounds:
            self._rounds[event.visit] = {
                "visit": event.visit,
                "started_at_ms": at_ms,
                "attempts": [],
                "votes": [],
                "usage": {},
                **self._given(event.source),
            }

    def asked(self, event: ev.ApprovalRequested, at_ms: int) -> None:
        """Begin a round of decisions: what people are shown is its input."""
        self.entered(event, at_ms)
        shown = orjson.loads(self._live.outputs.raw(event.shown))
        self._rounds[event.visit] |= {"input_key": event.shown, "input": shown}

    def assigned(self, event: ev.TaskAssigned, at_ms: int) -> None:
        """Begin an attempt."""
        self.entered(event, at_ms)
        self._rounds[event.visit]["attempts"].append(
            AttemptView(attempt=event.attempt, assigned_at_ms=at_ms, repair=_plain(event.repair))
        )

    def failed(self, event: Any, at_ms: int) -> None:
        """End an attempt; another follows."""
        kind = "invalid" if isinstance(event, ev.ValidationFailed) else "failed"
        self._attempt(event, at_ms, kind, retry_at_ms=getattr(event, "retry_at_ms", None))

    def held(self, event: ev.StageHeld, at_ms: int) -> None:
        """End an attempt; people must say how to go on."""
        self._attempt(event, at_ms, "held")
        if event.visit in self._rounds:
            self._rounds[event.visit]["errors"] = _plain(event.errors)

    def completed(self, event: ev.StageComplete, at_ms: int) -> None:
        """End a round."""
        self._attempt(event, at_ms, "failed" if event.errors else "done")
        found = self._rounds.setdefault(event.visit, {"visit": event.visit, "started_at_ms": at_ms})
        found |= {
            "ended_at_ms": at_ms,
            "outcome": event.outcome,
            "to": event.to,
            "output_key": event.output,
            "output": orjson.loads(self._live.outputs.raw(event.output)),
            "errors": _plain(event.errors),
        }

    def voted(self, event: ev.ApprovalVoted, at_ms: int) -> None:
        """Note a decision."""
        if event.visit in self._rounds:
            self._rounds[event.visit]["votes"].append(
                VoteView(
                    decision=event.decision,
                    by=event.by,
                    at_ms=at_ms,
                    comment=event.comment,
                    data=event.data,
                )
            )

    def _attempt(self, event: Any, at_ms: int, ended_as: str, **more: Any) -> None:
        found = self._rounds.get(event.visit)
        if found is None:
            return
        usage = getattr(event, "usage", {})
        accumulate(found["usage"], usage)
        for number, attempt in enumerate(found["attempts"]):
            if attempt.attempt == event.attempt and attempt.ended_at_ms is None:
                found["attempts"][number] = attempt.model_copy(
                    update={
                        "ended_at_ms": at_ms,
                        "ended_as": ended_as,
                        "errors": _plain(event.errors),
                        "usage": dict(usage),
                        **more,
                    }
                )

    def _over(self, at_ms: int) -> None:
        """End what lasts: the workflow or its branch is over."""
        if not self._rounds:
            return
        last = self._rounds[max(self._rounds)]
        if last.get("ended_at_ms") is not None:
            return
        last |= {"ended_at_ms": at_ms, "outcome": "cancelled"}
        for number, attempt in enumerate(last["attempts"]):
            if attempt.ended_at_ms is None:
                update = {"ended_at_ms": at_ms, "ended_as": "cancelled"}
                last["attempts"][number] = attempt.model_copy(update=update)

    def _given(self, source: str) -> dict[str, Any]:
        """Return a round's input as it was made when the round began."""
        template = self._plan.template
        if template is None:
            return {
                "input_key": source or None,
                "input": orjson.loads(self._live.outputs.raw(source)),
            }
        if self.state is None:
            return {}
        try:
            body = stage_input(template, self.state, self._live.outputs, source)
        except OutputMissing:
            return {"input_unknown": "it is made of a payload above 64 KiB"}
        return {"input": orjson.loads(body)}


def _plain(problems: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    return [dict(problem) for problem in problems]


_TOLD: dict[type[Any], Callable[[History, Any, int], None]] = {
    ev.TaskAssigned: History.assigned,
    ev.TaskFailed: History.failed,
    ev.ValidationFailed: History.failed,
    ev.StageHeld: History.held,
    ev.StageComplete: History.completed,
    ev.EntryRefused: History.entered,
    ev.GroupStarted: History.entered,
    ev.ApprovalRequested: History.asked,
    ev.WaitStarted: History.entered,
    ev.ApprovalVoted: History.voted,
}

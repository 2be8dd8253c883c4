"""Stages by time, read from a workflow's log: rounds, attempts, and how long each took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.states import State
from stagewright.ports.views import StageView

FOLD_ROWS = 200
"""Above so many rows a timeline is folded; the rest comes when it is asked for."""
_LEAST_PERCENT = 0.6

Event = Mapping[str, Any]


@dataclass(slots=True)
class Attempt:
    """One dispatch of a stage; `result` is empty while it lasts."""

    number: int
    started_ms: int
    ended_ms: int | None = None
    result: str = ""
    errors: Sequence[Event] = ()
    run_ms: int | None = None
    """How long the agent itself worked, as it says."""
    repair: bool = False
    retry_at_ms: int | None = None


@dataclass(slots=True)
class Visit:
    """One entry into a stage: a round of work."""

    stage: str
    number: int
    started_ms: int
    ended_ms: int | None = None
    outcome: str = ""
    to: str = ""
    held: str = ""
    source: str = ""
    output: str | None = None
    errors: Sequence[Event] = ()
    attempts: list[Attempt] = field(default_factory=list)
    because: str = ""
    """Who sent the workflow back here, when this is a later round."""
    branch: str = ""

    @property
    def state(self) -> State:
        """How it looks."""
        if self.held:
            return states.of_waiting("held")
        return states.of_outcome(self.outcome) if self.outcome else states.ACTIVE


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time as percent of the whole."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline: a visit, or a stage that nothing has reached yet."""

    stage: str
    kind: str
    state: State
    visit: Visit | None
    took_ms: int | None
    bars: Sequence[Bar] = ()
    rounds: str = ""
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All rows that are shown, and how many there are."""

    rows: Sequence[Row]
    total: int
    started_ms: int
    ended_ms: int
    partial: bool = False
    """The log is too long to be read whole; only newest rounds are shown."""

    @property
    def hidden(self) -> int:
        """Rows that are folded away."""
        return self.total - len(self.rows)


class _Reader:
    """Folds events into visits, in the order in which they were entered."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._open: dict[str, Visit] = {}
        self._newest: dict[str, Visit] = {}

    def step(self, record: Event) -> None:
        for event in record.get("events", ()):
            handle = _HANDLERS.get(str(event.get("type")))
            if handle is not None:
                handle(self, event, int(record.get("at_ms", 0)))

    def _enter(self, event: Event, at_ms: int) -> Visit:
        stage, number = str(event["stage"]), int(event.get("visit", 1))
        visit = self._newest.get(stage)
        if visit is None or visit.number != number:
            visit = Visit(stage, number, at_ms, source=str(event.get("source", "")))
            visit.because = self._sent_back_by(stage, number)
            visit.branch = str(event.get("region", "")).partition("/")[2]
            self.visits.append(visit)
        self._open[stage] = self._newest[stage] = visit
        visit.held = ""
        return visit

    def _sent_back_by(self, stage: str, number: int) -> str:
        """Return who led here from a round before; what merely follows in this round does not."""
        for earlier in reversed(self.visits):
            if earlier.to == stage:
                return f"{earlier.stage}: {earlier.outcome}" if earlier.number < number else ""
        return ""

    def assigned(self, event: Event, at_ms: int) -> None:
        visit = self._enter(event, at_ms)
        number = int(event.get("attempt", 1))
        visit.attempts.append(Attempt(number, at_ms, repair=bool(event.get("repair"))))

    def entered(self, event: Event, at_ms: int) -> None:
        self._enter(event, at_ms)

    def again(self, event: Event, at_ms: int) -> None:
        visit = self._newest.get(str(event["stage"]))
        if visit is None or not visit.attempts:
            return
        invalid = event["type"] == "VALIDATION_FAILED"
        errors = event.get("errors", ())
        self._close_attempt(visit, "invalid" if invalid else _failure(errors), event, at_ms)
        visit.attempts[-1].retry_at_ms = event.get("retry_at_ms")

    def ended(self, event: Event, at_ms: int) -> None:
        visit = self._newest.get(str(event["stage"])) or self._enter(event, at_ms)
        visit.ended_ms, visit.outcome = at_ms, str(event.get("outcome", ""))
        visit.to, visit.output = str(event.get("to", "")), event.get("output")
        visit.errors, visit.held = event.get("errors", ()), ""
        if visit.attempts and visit.attempts[-1].ended_ms is None:
            self._close_attempt(visit, visit.outcome, event, at_ms)
        self._open.pop(visit.stage, None)

    def held(self, event: Event, at_ms: int) -> None:
        visit = self._newest.get(str(event["stage"]))
        if visit is not None:
            visit.held, visit.errors = str(event.get("reason", "")), event.get("errors", ())
            if visit.attempts and visit.attempts[-1].ended_ms is None:
                self._close_attempt(visit, str(event.get("outcome", "failed")), event, at_ms)

    def dropped(self, event: Event, at_ms: int) -> None:
        stages = event.get("stages", tuple(self._open))
        for visit in [self._open.pop(name) for name in stages if name in self._open]:
            visit.ended_ms, visit.outcome, visit.held = at_ms, "cancelled", ""
            if visit.attempts and visit.attempts[-1].ended_ms is None:
                self._close_attempt(visit, "cancelled", {}, at_ms)

    @staticmethod
    def _close_attempt(visit: Visit, result: str, event: Event, at_ms: int) -> None:
        attempt = visit.attempts[-1]
        attempt.ended_ms, attempt.result = at_ms, result
        attempt.errors = event.get("errors", ())
        spent = (event.get("usage") or {}).get("duration_ms")
        attempt.run_ms = int(spent) if isinstance(spent, int | float) else None


def _failure(errors: Sequence[Event]) -> str:
    kind = str(errors[0].get("type", "")) if errors else ""
    return kind if kind in {"timeout", "agent_lost"} else "failed"


_HANDLERS: dict[str, Callable[[_Reader, Event, int], None]] = {
    "TASK_ASSIGNED": _Reader.assigned,
    "ENTRY_REFUSED": _Reader.entered,
    "GROUP_STARTED": _Reader.entered,
    "APPROVAL_REQUESTED": _Reader.entered,
    "WAIT_STARTED": _Reader.entered,
    "TASK_FAILED": _Reader.again,
    "VALIDATION_FAILED": _Reader.again,
    "STAGE_COMPLETE": _Reader.ended,
    "STAGE_HELD": _Reader.held,
    "BRANCHES_CANCELLED": _Reader.dropped,
    "WORKFLOW_FAILED": _Reader.dropped,
    "WORKFLOW_CANCELLED": _Reader.dropped,
}


def visits_of(records: Iterable[Event]) -> list[Visit]:
    """Return every entry into a stage that a log tells of, in order."""
    reader = _Reader()
    for record in records:
        reader.step(record)
    return reader.visits


def visits_from_stages(stages: Iterable[StageView]) -> list[Visit]:
    """Return the newest visit of each stage: for logs that are too long to be read whole."""
    return [
        Visit(
            stage.name,
            stage.visit,
            stage.started_at_ms or 0,
            stage.ended_at_ms if stage.status == "ended" else None,
            stage.outcome or "",
            output=stage.output_key,
            errors=stage.errors,
            attempts=[Attempt(stage.attempt, stage.started_at_ms or 0)] if stage.attempt else [],
        )
        for stage in stages
        if stage.visit
    ]


def timeline_of(
    visits: Sequence[Visit],
    stages: Sequence[StageView],
    *,
    started_ms: int,
    ended_ms: int,
    waiting: Mapping[str, str],
    limit: int = FOLD_ROWS,
    partial: bool = False,
) -> Timeline:
    """Return the newest `limit` rows: visits by time, then the stages still to come."""
    known = {stage.name: stage for stage in stages}
    span_ms = max(ended_ms - started_ms, 1)
    seen = {visit.stage for visit in visits}
    coming = [stage for stage in stages if stage.name not in seen]
    total = len(visits) + len(coming)
    shown = visits if total <= limit else _most_telling(visits, limit)
    rows = [_row(visit, known.get(visit.stage), started_ms, span_ms, waiting) for visit in shown]
    room = max(0, limit - len(rows))
    rows += [Row(s.name, s.kind, states.PENDING, None, None) for s in coming[:room]]
    return Timeline(rows, total, started_ms, ended_ms, partial)


def _most_telling(visits: Sequence[Visit], limit: int) -> list[Visit]:
    """Return what people look for among many: what is open or bad first, else the newest."""
    telling = [v for v in visits if not v.outcome or v.held or v.state.tone == "bad"][:limit]
    chosen = {id(visit) for visit in telling}
    for visit in reversed(visits):
        if len(chosen) >= limit:
            break
        chosen.add(id(visit))
    return [visit for visit in visits if id(visit) in chosen]


def _row(
    visit: Visit, stage: StageView | None, started_ms: int, span_ms: int, waiting: Mapping[str, str]
) -> Row:
    ended_ms = visit.ended_ms if visit.ended_ms is not None else started_ms + span_ms
    reason = "" if visit.outcome else waiting.get(visit.stage, "")
    state = states.of_waiting(reason) if reason else visit.state
    most = stage.max_visits if stage else None
    rounds = f"{visit.number} of {most}" if most and visit.number > 1 else str(visit.number)
    return Row(
        visit.stage,
        stage.kind if stage else "agent",
        state,
        visit,
        max(ended_ms - visit.started_ms, 0),
        _bars(visit, state, started_ms, span_ms, ended_ms),
        rounds if visit.number > 1 else "",
        reason,
    )


def _bars(
    visit: Visit, state: State, started_ms: int, span_ms: int, ended_ms: int
) -> Sequence[Bar]:
    """Return the attempts side by side; what was spent in the queue is paler than the work."""
    if not visit.attempts:
        return (_bar(visit.started_ms, ended_ms, started_ms, span_ms, state.tone),)
    bars = []
    for attempt in visit.attempts:
        end = attempt.ended_ms if attempt.ended_ms is not None else ended_ms
        begun = attempt.started_ms
        if attempt.run_ms is not None and end - attempt.run_ms > begun:
            bars.append(_bar(begun, end - attempt.run_ms, started_ms, span_ms, "queued"))
            begun = end - attempt.run_ms
        tone = states.of_outcome(attempt.result).tone if attempt.result else state.tone
        bars.append(_bar(begun, end, started_ms, span_ms, tone))
    return bars


def _bar(begun_ms: int, ended_ms: int, started_ms: int, span_ms: int, kind: str) -> Bar:
    x = min(100 * max(begun_ms - started_ms, 0) / span_ms, 100 - _LEAST_PERCENT)
    width = max(100 * (ended_ms - begun_ms) / span_ms, 0 if kind == "queued" else _LEAST_PERCENT)
    return Bar(round(x, 2), round(min(width, 100 - x), 2), kind)

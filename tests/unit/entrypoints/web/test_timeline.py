"""A log read as rounds and attempts."""

from __future__ import annotations

from typing import Any

from stagewright.entrypoints.web.timeline import Visit, timeline_of, visits_of
from stagewright.ports.views import StageView


def step(at_ms: int, *events: dict[str, Any]) -> dict[str, Any]:
    return {"n": at_ms, "at_ms": at_ms, "events": list(events)}


def assigned(stage: str, visit: int = 1, attempt: int = 1, **more: Any) -> dict[str, Any]:
    told = {"type": "TASK_ASSIGNED", "stage": stage, "visit": visit, "attempt": attempt}
    return {**told, "region": "", **more}


def ended(stage: str, outcome: str, to: str, visit: int = 1, **more: Any) -> dict[str, Any]:
    told = {"type": "STAGE_COMPLETE", "stage": stage, "outcome": outcome, "to": to}
    return {**told, "visit": visit, **more}


def failed(stage: str, kind: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "TASK_FAILED", "stage": stage, "errors": [{"type": kind}], **more}


REWORK = [
    step(0, assigned("draft")),
    step(100, ended("draft", "ok", "review"), assigned("review")),
    step(150, ended("review", "rework", "draft"), assigned("draft", 2)),
    step(300, ended("draft", "ok", "review", 2), assigned("review", 2)),
]


def test_a_later_round_says_who_sent_the_workflow_back() -> None:
    visits = visits_of(REWORK)
    assert [(v.stage, v.number, v.because) for v in visits] == [
        ("draft", 1, ""),
        ("review", 1, ""),
        ("draft", 2, "review: rework"),
        ("review", 2, ""),
    ]


def test_attempts_keep_how_each_of_them_ended() -> None:
    (visit,) = visits_of(
        [
            step(0, assigned("pull")),
            step(10, failed("pull", "timeout", retry_at_ms=40)),
            step(40, assigned("pull", attempt=2)),
            step(50, {"type": "VALIDATION_FAILED", "stage": "pull", "errors": [{"path": "a"}]}),
            step(51, assigned("pull", attempt=3, repair=[{"path": "a"}])),
            step(90, ended("pull", "ok", "complete", usage={"duration_ms": 30})),
        ]
    )
    assert [(a.result, a.started_ms, a.ended_ms) for a in visit.attempts] == [
        ("timeout", 0, 10),
        ("invalid", 40, 50),
        ("ok", 51, 90),
    ]
    assert (visit.attempts[0].retry_at_ms, visit.attempts[2].repair) == (40, True)
    assert visit.attempts[2].run_ms == 30


def test_what_is_cancelled_with_its_workflow_has_ended() -> None:
    end = {"type": "WORKFLOW_CANCELLED", "by": "ann"}
    (visit,) = visits_of([step(0, assigned("pull")), step(70, end)])
    assert (visit.outcome, visit.ended_ms, visit.attempts[0].result) == (
        "cancelled",
        70,
        "cancelled",
    )


def test_a_held_stage_is_open_until_it_is_retried() -> None:
    held = {"type": "STAGE_HELD", "stage": "pull", "outcome": "failed", "reason": "broke"}
    (visit,) = visits_of([step(0, assigned("pull")), step(9, held)])
    assert (visit.held, visit.state.word, visit.outcome) == ("broke", "Held", "")
    (again,) = visits_of(
        [step(0, assigned("pull")), step(9, held), step(20, assigned("pull", 1, 2))]
    )
    assert (again.held, len(again.attempts)) == ("", 2)


def timeline(visits: list[Visit], *stages: StageView, limit: int = 200) -> Any:
    return timeline_of(visits, stages, started_ms=0, ended_ms=400, waiting={}, limit=limit)


def test_bars_show_the_queue_apart_from_the_work() -> None:
    log = [step(0, assigned("a")), step(200, ended("a", "ok", "b", usage={"duration_ms": 100}))]
    (row,) = timeline(visits_of(log)).rows
    assert [(b.kind, b.x, b.width) for b in row.bars] == [("queued", 0, 25), ("good", 25, 25)]


def test_stages_that_nothing_has_reached_come_last() -> None:
    coming = StageView(name="deploy", kind="agent", status="pending")
    rows = timeline(visits_of(REWORK), coming).rows
    assert (rows[-1].stage, rows[-1].visit, rows[-1].state.word) == ("deploy", None, "not yet")


def test_a_long_timeline_is_folded_around_what_people_look_for() -> None:
    log = [step(n, assigned(f"s{n}"), ended(f"s{n}", "ok", "next")) for n in range(50)]
    log[3]["events"][1]["outcome"] = "failed"
    found = timeline(visits_of(log), limit=10)
    names = [row.stage for row in found.rows]
    assert (found.hidden, len(names)) == (40, 10)
    assert names[0] == "s3"
    assert names[-1] == "s49"

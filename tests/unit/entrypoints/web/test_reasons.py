"""Why a workflow waits, and what to do about it."""

from __future__ import annotations

from typing import Any

from stagewright.entrypoints.web.reasons import buttons_of, failure_of, reasons_of
from stagewright.ports.views import StageView, Waiting
from tests.unit.entrypoints.fakes import NOW_MS, view


def waiting(kind: str, **changed: Any) -> Waiting:
    given = {"stage": "build", "kind": kind, "owner": "o", "reason": "because", "since_ms": NOW_MS}
    return Waiting(**(given | changed))


def test_what_people_can_do_comes_first() -> None:
    leased = waiting("leased")
    asked = waiting("approval", stage="sign", detail={"approvers": ["group:ops", "*"]})
    found, total = reasons_of(view(waiting=[leased, asked]))
    assert total == 2
    assert found[0].headline == "sign waits for a decision by the group ops, anyone"
    assert [button.label for button in found[0].buttons] == ["Approve", "Reject"]
    assert not found[1].for_people


def test_a_queue_without_a_live_agent_is_for_people() -> None:
    lonely = waiting("queued", detail={"live_agents": 0}, remedy="stagewright agent run M")
    (reason,), _ = reasons_of(view(waiting=[lonely]))
    assert reason.for_people
    assert reason.headline == "build waits for an agent, and none is alive"
    assert reason.command == "stagewright agent run M"


def test_a_group_is_told_by_its_branches() -> None:
    group, inner = waiting("group", stage="checks"), waiting("leased", stage="lint")
    found, total = reasons_of(view(waiting=[group, inner]))
    assert ([one.stage for one in found], total) == (["lint"], 1)


def test_of_thousands_of_reasons_a_few_are_shown() -> None:
    found, total = reasons_of(view(waiting=[waiting("leased", stage=f"s{n}") for n in range(99)]))
    assert (len(found), total) == (12, 99)


def test_a_failed_workflow_says_what_broke_and_how_to_go_on() -> None:
    broken = view(
        status="failed",
        waiting=[],
        reason="build ended as failed",
        failed_stage="build",
        errors=[{"type": "ValueError", "message": "no", "path": "a/b"}],
    )
    failure = failure_of(broken)
    assert failure is not None
    assert failure.headline == "build ended as failed"
    assert [(p.kind, p.text) for p in failure.problems] == [("ValueError", "a/b: no")]
    assert [b.dialog for b in failure.buttons] == ["retry", "redrive", "edit"]
    assert failure.command.endswith("--stage build")


def test_a_held_stage_is_retried_in_place() -> None:
    stage = StageView(name="build", kind="agent", status="active", errors=[{"message": "broke"}])
    failure = failure_of(view(stages=[stage], waiting=[waiting("held")]))
    assert failure is not None
    assert failure.headline == "build ended as failed and waits for a person"
    assert [b.label for b in failure.buttons] == ["Retry in place", "Cancel"]
    assert failure.problems[0].text == "broke"


def test_what_is_quarantined_says_why() -> None:
    held = waiting("held", reason="its message cannot be read", detail={"outcome": "quarantined"})
    failure = failure_of(view(waiting=[held]))
    assert failure is not None
    assert failure.headline == "build is quarantined and waits for a person"
    assert failure.problems[0].text == "its message cannot be read"


def test_what_can_be_done_follows_the_status() -> None:
    labels = {s: [b.dialog for b in buttons_of(view(status=s))] for s in ("running", "paused")}
    assert labels == {"running": ["pause", "cancel"], "paused": ["resume", "cancel"]}
    assert [b.dialog for b in buttons_of(view(status="completed"))] == ["redrive", "edit"]
    assert buttons_of(view(status="failed")) == ()

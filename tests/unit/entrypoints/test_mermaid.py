from __future__ import annotations

from stagewright.domain.builder import Workflow, approval, parallel, stage, wait
from stagewright.entrypoints.mermaid import flowchart


def lines(*stages: object) -> list[str]:
    chart = flowchart(Workflow("release", *stages).definition)
    return [line.strip() for line in chart.splitlines()]


def test_stages_follow_one_another_to_the_end() -> None:
    chart = lines(stage("plan", "a"), stage("end", "a"))
    assert chart[:2] == ["%% release 1.0.0", "flowchart TD"]
    for line in ("start --> plan_", "plan_ --> end_", "end_ --> complete_", 'end_["end"]'):
        assert line in chart


def test_written_routes_carry_their_outcome() -> None:
    chart = lines(
        stage("build", "a", with_=Workflow.input, max_visits=3),
        stage("check", "a", on={"rework": "build", "failed": "fail"}),
    )
    assert "check_ -->|rework| build_" in chart
    assert "check_ -->|failed| fail_" in chart
    assert "fail_((fail))" in chart
    assert not any("timeout" in line for line in chart)


def test_approvals_and_waits_have_shapes_of_their_own() -> None:
    chart = lines(approval("gate", approvers=["ops"]), wait("nap-time", for_s=1))
    assert 'gate_{{"gate"}}' in chart
    assert 'nap_time_(["nap-time"])' in chart
    assert "gate_ --> nap_time_" in chart


def test_branches_stand_inside_their_group_and_end_there() -> None:
    chart = lines(parallel("both", left=stage("l", "a"), right=[stage("r", "a"), stage("s", "a")]))
    assert 'subgraph both_["both (all)"]' in chart
    assert 'subgraph both_left_["left"]' in chart
    assert "r_ --> s_" in chart
    assert "s_ --> complete_" not in chart
    assert "both_ --> complete_" in chart

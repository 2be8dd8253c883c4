"""The state of one workflow."""

from __future__ import annotations

import pytest

from stagewright.domain.workflow import Status, sentence
from tests.unit.domain.kernel import agent, approval, parallel, started, wait


@pytest.mark.parametrize(
    ("status", "terminal"),
    [
        (Status.RUNNING, False),
        (Status.WAITING, False),
        (Status.PAUSED, False),
        (Status.COMPLETED, True),
        (Status.FAILED, True),
        (Status.CANCELLED, True),
    ],
)
def test_the_last_three_statuses_are_terminal(status: Status, terminal: bool) -> None:
    assert status.terminal is terminal


def test_the_current_stage_is_the_groups_name_while_its_branches_run() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")]))
    assert flow.now.current_stage == "fan"
    assert flow.now.active_stages == ("a", "b", "fan")


def test_a_workflow_that_ended_has_no_current_stage() -> None:
    flow = started(agent("a"))
    flow.ok("a")
    assert flow.now.current_stage is None
    assert flow.now.active_stages == ()


def test_a_workflow_that_was_cancelled_still_says_where() -> None:
    flow = started(agent("a"))
    flow.cancel()
    assert flow.now.current_stage == "a"


def test_it_runs_while_an_agent_works_and_waits_while_only_people_or_time_can_act() -> None:
    flow = started(agent("a", retry={"attempts": 2}), approval("b"), wait("c", for_s=1))
    seen = [flow.now.status]
    flow.fails("a")
    seen.append(flow.now.status)
    flow.fire("retry/a/1/2")
    flow.ok("a")
    seen.append(flow.now.status)
    flow.vote("b", "ann")
    seen.append(flow.now.status)
    assert seen == [Status.RUNNING, Status.RUNNING, Status.WAITING, Status.WAITING]


def test_one_busy_branch_makes_the_whole_run() -> None:
    flow = started(parallel("fan", [agent("a")], [approval("b")]))
    assert flow.now.status is Status.RUNNING
    flow.ok("a")
    assert flow.now.status is Status.WAITING


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ({"type": "input_invalid", "path": "a.number", "message": "not a number"},
         "a.number: not a number"),
        ({"type": "RuntimeError", "message": "no disk"}, "no disk"),
        ({"type": "RuntimeError", "message": ""}, "it gave no reason"),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_the_field_it_is_about(problem: dict[str, str], said: str) -> None:
    assert sentence(problem, "it gave no reason") == said

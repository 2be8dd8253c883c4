"""How far a workflow is."""

from __future__ import annotations

import pytest

from stagewright.domain.progress import progress
from tests.unit.domain.kernel import Kernel, agent, approval, parallel, started


def percent(flow: Kernel) -> int:
    return progress(flow.plan, flow.now)


def test_six_stages_progress_evenly() -> None:
    names = [f"s{n}" for n in range(6)]
    flow = started(*map(agent, names))
    seen = [percent(flow)]
    for name in names:
        flow.ok(name)
        seen.append(percent(flow))
    assert seen == [0, 17, 33, 50, 67, 83, 100]


def test_rework_sets_it_back() -> None:
    flow = started(agent("a"), agent("b", on={"bad": "a"}))
    flow.ok("a")
    assert percent(flow) == 50
    flow.says("b", "bad")
    assert percent(flow) == 0


def test_the_shortest_ok_path_counts() -> None:
    flow = started(agent("a", on={"ok": "c", "odd": "b"}), agent("b"), agent("c"))
    flow.says("a", "odd")
    assert percent(flow) == 0
    flow.ok("b")
    assert percent(flow) == 50


def test_a_group_counts_one_fractionally_by_its_branches() -> None:
    flow = started(
        agent("a"), parallel("fan", [agent("b")], [agent("c")], [agent("d")], [agent("e")])
    )
    flow.ok("a")
    seen = []
    for name in "bcde":
        seen.append(percent(flow))
        flow.ok(name)
    assert seen == [50, 62, 75, 88]
    assert percent(flow) == 100


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_what_ended_early_stays_where_it_stood(end: str) -> None:
    flow = started(agent("a"), agent("b", retry={"attempts": 1}))
    flow.ok("a")
    if end == "cancel":
        flow.cancel()
    else:
        flow.fails("b")
    assert percent(flow) == 50


def test_what_completed_early_is_complete() -> None:
    flow = started(agent("a", on={"done": "complete"}), agent("b"))
    flow.says("a", "done")
    assert percent(flow) == 100


def test_a_deadline_that_passed_leaves_it_where_it_stood() -> None:
    flow = started(agent("a"), approval("b"), deadline_s=5)
    flow.ok("a")
    flow.fire("deadline")
    assert percent(flow) == 50

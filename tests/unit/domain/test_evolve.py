"""What each event makes of a state. That logs replay is proved in every test of the kernel."""

from __future__ import annotations

import pytest

from stagewright.domain import events as ev
from stagewright.domain.events import StepRecord
from stagewright.domain.evolve import apply_step, evolve, replay, seal
from stagewright.domain.workflow import Answer, BranchEnd, StageRecord
from tests.unit.domain.kernel import WORKFLOW, agent, approval, parallel, started


def test_an_empty_log_gives_nothing() -> None:
    assert replay(WORKFLOW, []) is None


def test_a_whole_log_gives_the_state() -> None:
    flow = started(agent("a", on={"again": "a"}), approval("b"))
    flow.says("a", "again")
    flow.ok("a")
    flow.vote("b", "ann")
    assert flow.replayed() == flow.state


@pytest.mark.parametrize("events", [(), (ev.WorkflowResumed("ann"),)])
def test_a_log_that_does_not_begin_with_a_start_is_an_error(events: tuple[ev.Event, ...]) -> None:
    with pytest.raises(ValueError, match="does not begin with WORKFLOW_CREATED"):
        apply_step(WORKFLOW, None, StepRecord(1, "i", 5, "", events))


def test_a_new_visit_starts_counting_anew_and_remembers_when_the_last_one_ended() -> None:
    flow = started(agent("a", retry={"attempts": 3, "delay_s": 0}), agent("b", on={"bad": "a"}))
    flow.fails("a")
    flow.violates("a")
    flow.ok("a", 1)
    flow.now_ms += 1_000
    flow.says("b", "bad")
    record = flow.record("a")
    assert (record.visit, record.attempt, record.failures, record.repairs) == (2, 1, 0, 0)
    assert (record.output, record.source, record.outcome) == ("a/1", "b/1", None)
    assert (record.started_at_ms, record.ended_at_ms) == (flow.now_ms, None)
    assert record.previous_step == 4


def test_a_stage_that_ended_says_when_and_in_which_step() -> None:
    flow = started(agent("a"), agent("b"))
    flow.now_ms += 7
    flow.ok("a")
    assert (flow.record("a").ended_at_ms, flow.record("a").ended_step) == (flow.now_ms, 2)


def test_a_failed_attempt_without_a_message_is_retried_without_a_reason() -> None:
    flow = started(agent("a"))
    event = ev.TaskFailed("a", 1, 1, (), 5)
    assert evolve(WORKFLOW, flow.state, event, 2, 5).awaiting["a"].reason == ""


def test_an_event_before_the_start_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not begin with WORKFLOW_CREATED"):
        evolve(WORKFLOW, None, ev.WorkflowResumed("ann"), 1, 5)


def test_events_of_groups_and_approvals_need_a_group_and_an_approval() -> None:
    flow = started(agent("a"))
    with pytest.raises(TypeError, match="a is not a group that waits"):
        evolve(WORKFLOW, flow.state, ev.BranchEnded("a", "b", BranchEnd("ok", None)), 2, 5)
    with pytest.raises(TypeError, match="a is not an approval that waits"):
        evolve(WORKFLOW, flow.state, ev.ApprovalVoted("a", 1, "approved", "ann"), 2, 5)


def test_cancelling_branches_removes_what_was_active_in_them() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")], join="any"))
    event = ev.BranchesCancelled("fan", ("to-b",), ("b",))
    state = evolve(WORKFLOW, flow.state, event, 2, 5)
    assert state.active_stages == ("a", "fan")
    assert state.awaiting["fan"].expected == ("to-a",)


def test_a_successor_carries_records_of_the_workflow_before() -> None:
    carried = {"a": StageRecord(outcome="ok", output="carried/a/1")}
    event = ev.WorkflowCreated("h", "job", "1.0.0", 2, "b", continues="p01-0", carried=carried)
    assert evolve(WORKFLOW, None, event, 1, 5).stages == carried


def test_the_newest_forgotten_command_is_remembered_whatever_the_order() -> None:
    state = started(agent("a")).now
    ids = [f"{n:03d}" for n in range(130, 0, -1)]
    for number, id_ in enumerate(ids):
        step = StepRecord(number + 2, "i", 5, "", (), Answer(id_, ok=True))
        state = seal(state, step)
    assert len(state.answers) == 128
    assert state.forgotten_command == "130"

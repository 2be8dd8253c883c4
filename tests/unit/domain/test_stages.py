"""Entering and leaving stages: visits, groups and their joins, approvals and waits."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import orjson
import pytest

from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.draft import Context, Draft
from stagewright.domain.stages import assign, enter
from stagewright.domain.workflow import (
    ApprovalWait,
    GroupWait,
    HeldWait,
    SignalWait,
    Status,
    TimerWait,
)
from tests.unit.domain.kernel import (
    START_MS,
    Kernel,
    agent,
    approval,
    kernel,
    parallel,
    started,
    wait,
)

ONCE = {"attempts": 1}


# --- visits ---------------------------------------------------------------------------------------


def rework(**fields: Any) -> Kernel:
    """A stage that a check sends back."""
    return started(agent("build", **fields), agent("check", on={"bad": "build"}), agent("ship"))


def go_round(flow: Kernel) -> None:
    flow.ok("build")
    flow.says("check", "bad")


def test_every_entry_into_a_stage_is_a_visit() -> None:
    flow = rework()
    go_round(flow)
    go_round(flow)
    assert flow.tasks == ["build/3/1"]
    assert flow.record("check").visit == 2


def test_the_entry_beyond_max_visits_ends_the_stage_as_exhausted() -> None:
    flow = rework(max_visits=2, on={"exhausted": "ship"})
    go_round(flow)
    go_round(flow)
    assert flow.active == ("ship",)
    assert flow.record("build").outcome == "exhausted"
    assert flow.record("build").errors[0]["message"] == "entered more than 2 times"


def test_exhausted_without_a_route_fails_the_workflow() -> None:
    flow = rework(max_visits=1)
    go_round(flow)
    assert flow.now.status is Status.FAILED
    assert flow.now.ending is not None
    assert flow.now.ending.reason == "build ended as exhausted"


def test_what_an_exhausted_stage_last_gave_stays_its_output() -> None:
    flow = rework(max_visits=1, on_failure="skip")
    flow.ok("build", {"round": 1})
    flow.says("check", "bad")
    assert flow.output("build") == {"round": 1}
    assert flow.record("check").source == "build/1"


def test_the_entry_that_is_refused_is_a_visit_of_its_own() -> None:
    flow = rework(max_visits=1, on={"exhausted": "ship"})
    go_round(flow)
    ended = [e for e in flow.events(ev.StageComplete) if isinstance(e, ev.StageComplete)]
    assert [(e.stage, e.visit) for e in ended] == [("check", 1), ("build", 2)]


def test_an_exhausted_stage_that_holds_can_be_dispatched_once_more_by_a_person() -> None:
    flow = rework(max_visits=1, on_failure="hold")
    go_round(flow)
    assert isinstance(flow.now.awaiting["build"], HeldWait)
    flow.retry("build")
    assert flow.tasks == ["build/2/1"]
    assert flow.record("build").source == "check/1"
    assert flow.record("build").previous_step == 2


def test_an_exhausted_approval_that_holds_can_be_asked_once_more_by_a_person() -> None:
    flow = started(
        approval("sign", max_visits=1, on_failure="hold", on={"rejected": "mend"}),
        agent("mend", on={"ok": "sign"}),
    )
    flow.vote("sign", "ann", approved=False)
    flow.ok("mend")
    flow.retry("sign")
    assert isinstance(flow.now.awaiting["sign"], ApprovalWait)


def test_stages_that_exhaust_one_another_are_held_instead_of_spinning() -> None:
    flow = started(
        agent("a", max_visits=1, on={"exhausted": "b"}),
        agent("b", max_visits=1, on={"ok": "a", "exhausted": "a"}),
    )
    flow.ok("a")
    flow.ok("b")
    (held,) = flow.now.awaiting.values()
    assert isinstance(held, HeldWait)
    assert held.reason == "stages exhaust one another"


def test_a_long_chain_of_stages_that_end_at_once_is_walked_in_one_step_and_not_deep() -> None:
    until = {"from": "input.at"}
    chain = [wait(f"w{n}", until=until, on={"invalid": f"w{n + 1}"}) for n in range(120)]
    flow = kernel(*chain, agent("w120"))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        flow.start({"at": "no instant"})
    finally:
        sys.setrecursionlimit(limit)
    assert flow.active == ("w120",)
    assert len(flow.log) == 1


# --- groups ---------------------------------------------------------------------------------------


def fan(*names: str, **fields: Any) -> Kernel:
    """A group of one-stage branches, then a stage."""
    branches = [[agent(name, retry=ONCE)] for name in names]
    return started(parallel("fan", *branches, **fields), agent("after"), value={"n": 1})


def test_entering_a_group_starts_every_branch_in_the_same_step() -> None:
    flow = fan("a", "b", "c")
    assert len(flow.log) == 1
    assert flow.tasks == ["a/1/1", "b/1/1", "c/1/1"]
    assert flow.now.current_stage == "fan"
    assert flow.active == ("a", "b", "c", "fan")


def test_each_branch_starts_with_what_the_group_was_given() -> None:
    flow = fan("a", "b")
    assert {flow.record(name).source for name in ("a", "b", "fan")} == {"input"}


def test_a_branch_follows_its_own_routes_to_its_end() -> None:
    flow = started(parallel("fan", [agent("a1"), agent("a2", on={"bad": "a1"})], [agent("b")]))
    flow.ok("a1")
    flow.says("a2", "bad")
    assert flow.tasks == ["a1/2/1", "b/1/1"]


def test_all_completes_with_the_last_branch() -> None:
    flow = fan("a", "b")
    flow.ok("a", {"from": "a"})
    assert flow.active == ("b", "fan")
    flow.ok("b", {"from": "b"})
    assert flow.active == ("after",)
    assert flow.record("fan").outcome == "ok"


def test_a_groups_output_says_how_each_branch_ended_and_what_it_gave() -> None:
    flow = fan("a", "b", "c", join="any")
    flow.fails("a")
    flow.ok("b", {"from": "b"})
    assert flow.output("fan") == {
        "to-a": {"outcome": "failed", "output": None},
        "to-b": {"outcome": "ok", "output": {"from": "b"}},
    }
    assert flow.record("after").source == "fan/1"


def test_all_fails_with_the_first_branch_that_fails_and_cancels_the_rest() -> None:
    flow = fan("a", "b", "c", on={"failed": "after"})
    flow.fails("b")
    (cancelled,) = flow.events(ev.BranchesCancelled)
    assert isinstance(cancelled, ev.BranchesCancelled)
    assert cancelled.branches == ("to-a", "to-c")
    assert cancelled.stages == ("a", "c")
    assert flow.active == ("after",)
    assert flow.record("fan").errors[0]["message"] == "branches failed: to-b"


def test_any_completes_with_the_first_success_and_cancels_the_rest_in_that_step() -> None:
    flow = fan("a", "b", "c", join="any")
    flow.ok("b")
    assert flow.tasks == ["after/1/1"]
    assert len(flow.log) == 2


def test_any_fails_only_when_every_branch_has() -> None:
    flow = fan("a", "b", join="any", on={"failed": "after"})
    flow.fails("a")
    assert flow.active == ("b", "fan")
    flow.fails("b")
    assert flow.record("fan").outcome == "failed"


def test_a_quorum_holds_once_so_many_have_succeeded() -> None:
    flow = fan("a", "b", "c", "d", join="quorum:2")
    flow.ok("d")
    flow.fails("a")
    flow.ok("c")
    assert flow.active == ("after",)


def test_a_quorum_fails_once_too_few_are_left() -> None:
    flow = fan("a", "b", "c", join="quorum:2", on={"failed": "after"})
    flow.fails("a")
    assert flow.active == ("b", "c", "fan")
    flow.fails("b")
    assert flow.active == ("after",)
    assert flow.record("fan").outcome == "failed"


def test_the_result_of_a_cancelled_branch_changes_nothing() -> None:
    flow = fan("a", "b", join="any")
    late = flow.task("b")
    flow.ok("a")
    assert flow.tell(m.Result(late, True)).events == ()


def test_a_branch_ends_by_reaching_fail_or_complete_on_any_route() -> None:
    flow = started(
        parallel(
            "fan",
            [agent("a", on={"stop": "complete"}), agent("a2")],
            [agent("b", on={"no": "fail"})],
            join="any",
        ),
    )
    flow.says("b", "no")
    flow.says("a", "stop", {"n": 1})
    assert flow.output("fan")["to-a"] == {"outcome": "ok", "output": {"n": 1}}
    assert flow.now.status is Status.COMPLETED


def test_a_groups_rules_see_its_output() -> None:
    rules = [{"when": "output['to-a'].output.n > output['to-b'].output.n", "outcome": "a_wins"}]
    flow = fan("a", "b", rules=rules, on={"a_wins": "complete"})
    flow.ok("a", {"n": 2})
    flow.ok("b", {"n": 1})
    assert flow.record("fan").outcome == "a_wins"


def test_a_groups_rule_that_fails_ends_it_as_invalid() -> None:
    flow = fan(
        "a",
        rules=[{"when": "output.nobody == 1", "outcome": "x"}],
        on={"x": "fail", "invalid": "after"},
    )
    flow.ok("a")
    assert flow.record("fan").outcome == "invalid"
    assert flow.record("fan").errors[0]["type"] == "rule_failed"


def test_a_thousand_branches_join_once() -> None:
    names = [f"n{number}" for number in range(1_000)]
    flow = fan(*names)
    flow.proving = False
    for name in names:
        flow.ok(name)
    joined = [body for body in flow.log if b'"stage":"fan","visit":1,"outcome"' in body]
    assert len(joined) == 1
    assert flow.active == ("after",)
    assert len(flow.output("fan")) == 1_000
    assert flow.replayed() == flow.state


def test_groups_nest_and_an_outer_join_cancels_the_inner_branches() -> None:
    inner = parallel("inner", [agent("x")], [agent("y1"), agent("y2")])
    flow = started(parallel("outer", [inner], [agent("b")], join="any"), agent("after"))
    flow.ok("y1")
    assert flow.active == ("b", "inner", "outer", "x", "y2")
    flow.ok("b")
    assert flow.active == ("after",)
    (cancelled,) = flow.events(ev.BranchesCancelled)
    assert isinstance(cancelled, ev.BranchesCancelled)
    assert cancelled.stages == ("inner", "x", "y2")


def test_an_inner_join_ends_its_branch_of_the_outer_one() -> None:
    inner = parallel("inner", [agent("x")], [agent("y")])
    flow = started(parallel("outer", [inner], [agent("b")]), agent("after"))
    flow.ok("x", 1)
    flow.ok("y", 2)
    assert flow.active == ("b", "outer")
    flow.ok("b", 3)
    assert flow.output("outer")["to-inner"]["output"]["to-y"] == {"outcome": "ok", "output": 2}


def test_a_group_entered_again_starts_all_its_branches_again() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")]), agent("check", on={"bad": "fan"}))
    flow.ok("a")
    flow.ok("b")
    flow.says("check", "bad")
    assert flow.tasks == ["a/2/1", "b/2/1"]
    group = flow.now.awaiting["fan"]
    assert isinstance(group, GroupWait)
    assert (group.visit, group.expected, group.ended) == (2, ("to-a", "to-b"), {})


def test_a_join_decided_while_branches_start_takes_the_other_starts_back() -> None:
    hasty = wait("hasty", until={"from": "input.no"}, on={"invalid": "complete"})
    flow = started(parallel("fan", [hasty], [agent("a")], [agent("b")], join="any"), agent("after"))
    assert flow.active == ("after",)
    assert "a" not in flow.now.stages


def test_a_group_that_restarts_while_its_branches_start_starts_each_branch_once() -> None:
    hasty = wait(
        "hasty",
        until={"from": "input.no"},
        max_visits=1,
        on={"invalid": "complete", "exhausted": "fail"},
    )
    flow = started(
        parallel("fan", [hasty], [agent("a")], join="any", on={"ok": "fan"}, max_visits=3),
    )
    assert flow.tasks == ["a/1/1"]
    assert flow.record("fan").visit == 2


def test_only_agent_stages_are_assigned() -> None:
    flow = started(wait("nap", for_s=1))
    draft = Draft(Context(flow.plan, flow.workflow_id, flow.outputs, 0, 0.0), flow.state)
    with pytest.raises(TypeError, match="nap is not an agent stage"):
        assign(draft, flow.plan.stages["nap"], 1, 1, "input")


# --- approvals ------------------------------------------------------------------------------------


def asked(flow: Kernel, stage: str = "sign") -> ApprovalWait:
    found = flow.now.awaiting[stage]
    assert isinstance(found, ApprovalWait)
    return found


def test_an_approval_shows_what_came_before_unless_it_says_otherwise() -> None:
    flow = started(agent("build"), approval("sign"))
    flow.ok("build", {"n": 1})
    assert flow.stored[asked(flow).shown] == b'{"n":1}'


def test_an_approval_shows_what_it_is_told_to() -> None:
    flow = started(
        agent("build"), approval("sign", show={"size": {"from": "stages.build.output.n"}})
    )
    flow.ok("build", {"n": 1})
    assert flow.stored[asked(flow).shown] == b'{"size":1}'


def test_equal_things_shown_have_equal_hashes_and_others_have_not() -> None:
    hashes = set()
    for value in ({"n": 1}, {"n": 1}, {"n": 2}):
        flow = started(approval("sign"), value=value)
        hashes.add(asked(flow).shown_hash)
    assert len(hashes) == 2


def test_an_approval_that_times_out_ends_as_timeout() -> None:
    flow = started(approval("sign", timeout_s=60, on={"timeout": "remind"}), agent("remind"))
    assert flow.timers == {"approval/sign/1": START_MS + 60_000}
    flow.fire("approval/sign/1")
    assert flow.record("sign").outcome == "timeout"
    assert flow.active == ("remind",)


# --- waits ----------------------------------------------------------------------------------------


def test_a_wait_for_a_duration_ends_by_its_timer_and_hands_on_what_it_was_given() -> None:
    flow = started(agent("build"), wait("nap", for_s=30), agent("ship"))
    flow.ok("build", {"n": 1})
    assert flow.now.status is Status.WAITING
    flow.fire("timer/nap/1")
    assert flow.now_ms == START_MS + 30_000
    assert flow.record("ship").source == flow.record("nap").output == "build/1"


@pytest.mark.parametrize(
    ("until", "at_ms"),
    [
        ("2030-01-31T09:00:00Z", 1_896_080_400_000),
        ("2030-01-31T10:00:00+01:00", 1_896_080_400_000),
        ("2030-01-31T09:00:00", 1_896_080_400_000),
        ("1969-12-31T23:59:59.5Z", -500),
    ],
)
def test_a_wait_may_name_its_instant(until: str, at_ms: int) -> None:
    flow = started(wait("nap", until=until))
    assert flow.timers == {"timer/nap/1": at_ms}


def test_a_wait_may_get_its_instant_from_an_output() -> None:
    flow = started(wait("nap", until={"from": "input.at"}), value={"at": "2030-01-31T09:00:00Z"})
    found = flow.now.awaiting["nap"]
    assert isinstance(found, TimerWait)
    assert found.at_ms == 1_896_080_400_000


@pytest.mark.parametrize("value", ["tomorrow", 7, None, {}, "2030-13-01T00:00:00Z"])
def test_an_instant_that_cannot_be_read_ends_the_wait_as_invalid(value: Any) -> None:
    flow = started(
        wait("nap", until={"from": "input"}, on={"invalid": "ask"}), agent("ask"), value=value
    )
    assert flow.active == ("ask",)
    assert flow.record("nap").errors[0]["message"] == "`until` of nap is not an RFC 3339 instant"


def test_an_instant_at_the_epoch_is_an_instant() -> None:
    flow = started(wait("nap", until="1970-01-01T00:00:00Z"))
    assert flow.timers == {"timer/nap/1": 0}


def test_a_wait_for_a_signal_ends_with_the_signals_payload() -> None:
    flow = started(wait("paid", signal="payment"), agent("ship"))
    assert flow.now.status is Status.WAITING
    flow.signal("payment", {"amount": 7})
    assert flow.output("paid") == {"amount": 7}
    assert flow.active == ("ship",)


def test_a_wait_for_a_signal_may_time_out() -> None:
    flow = started(
        wait("paid", signal="payment", timeout_s=5, on={"timeout": "remind"}), agent("remind")
    )
    flow.fire("signal/paid/1")
    assert flow.record("paid").outcome == "timeout"
    assert flow.active == ("remind",)


def test_a_signal_that_came_before_its_wait_is_taken_on_entry() -> None:
    flow = started(agent("build"), wait("paid", signal="payment"), agent("ship"))
    flow.signal("payment", {"amount": 7})
    flow.ok("build")
    assert flow.output("paid") == {"amount": 7}
    assert flow.now.signals == ()
    assert flow.active == ("ship",)


def test_kept_signals_are_taken_in_the_order_they_came() -> None:
    flow = started(agent("build"), wait("one", signal="s"), wait("two", signal="s"), agent("ship"))
    flow.signal("s", 1)
    flow.signal("other")
    flow.signal("s", 2)
    flow.ok("build")
    assert (flow.output("one"), flow.output("two")) == (1, 2)
    assert [kept.name for kept in flow.now.signals] == ["other"]


def test_as_many_signals_as_are_kept_can_be_taken_in_one_step() -> None:
    flow = started(agent("a"), wait("w", signal="s", on={"ok": "w"}, max_visits=100))
    for number in range(64):
        flow.signal("s", number)
    flow.ok("a")
    assert isinstance(flow.now.awaiting["w"], SignalWait)
    assert flow.record("w").visit == 65


# --- what a stage is entered with -----------------------------------------------------------------


def test_entering_leaves_nothing_to_be_entered() -> None:
    flow = kernel(agent("a"))
    draft = Draft(
        Context(flow.plan, flow.workflow_id, flow.outputs, 0, 0.0), started(agent("a")).state
    )
    enter(draft, "a", "input")
    assert draft.entries == []
    assert orjson.loads(flow.outputs.raw(None)) is None

"""Results, timers and lost leases: what each makes of a workflow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.decide import backoff_s
from stagewright.domain.definition import Retry
from stagewright.domain.ids import TaskId
from stagewright.domain.workflow import HeldWait, RetryWait, Status, TaskWait
from tests.unit.domain.kernel import (
    START_MS,
    WORKFLOW,
    Kernel,
    agent,
    approval,
    kernel,
    parallel,
    started,
    wait,
)

ONCE = {"attempts": 1}


# --- outcomes and default routes ------------------------------------------------------------------


def test_a_success_without_outcome_or_rules_is_ok_and_goes_to_the_next_listed_stage() -> None:
    flow = started(agent("build"), agent("check"))
    flow.ok("build", {"n": 1})
    assert flow.record("build").outcome == "ok"
    assert flow.active == ("check",)


def test_the_last_stage_leads_to_complete_and_its_output_is_the_workflows() -> None:
    flow = started(agent("build"), agent("check"))
    flow.ok("build")
    flow.ok("check", {"verdict": "fine"})
    assert flow.now.status is Status.COMPLETED
    assert flow.now.ending is not None
    assert flow.now.ending.output == flow.record("check").output == "check/1"


def test_the_outcome_that_the_agent_declared_chooses_the_route() -> None:
    flow = started(agent("build"), agent("check", on={"bad": "build"}), agent("ship"))
    flow.ok("build")
    flow.says("check", "bad")
    assert flow.record("check").outcome == "bad"
    assert flow.tasks == ["build/2/1"]


def test_a_declared_outcome_goes_before_the_rules() -> None:
    rules = [{"when": "true", "outcome": "bad"}]
    flow = started(agent("check", rules=rules, on={"bad": "fail", "good": "complete"}))
    flow.says("check", "good")
    assert flow.record("check").outcome == "good"


def test_the_first_rule_that_holds_gives_the_outcome() -> None:
    rules = [
        {"when": "output.n > 10", "outcome": "big"},
        {"when": "output.n > 1", "outcome": "some"},
        {"when": "true", "outcome": "none"},
    ]
    routes = {"big": "fail", "some": "complete", "none": "fail"}
    flow = started(agent("count", rules=rules, on=routes))
    flow.ok("count", {"n": 5})
    assert flow.record("count").outcome == "some"


def test_no_rule_that_holds_leaves_ok() -> None:
    flow = started(agent("count", rules=[{"when": "false", "outcome": "x"}], on={"x": "fail"}))
    flow.ok("count", {})
    assert flow.record("count").outcome == "ok"


def test_a_rule_sees_output_visit_and_what_the_stage_was_given() -> None:
    rules = [{"when": "output.n == input.n && visit == 1", "outcome": "same"}]
    flow = started(agent("echo", rules=rules, on={"same": "complete"}), value={"n": 3})
    flow.ok("echo", {"n": 3})
    assert flow.record("echo").outcome == "same"


def test_the_input_of_a_rule_is_the_stages_own_input_also_when_it_is_wired() -> None:
    rules = [{"when": "input.size == 7", "outcome": "wired"}]
    wired = agent(
        "echo", **{"with": {"size": {"from": "input.n"}}}, rules=rules, on={"wired": "fail"}
    )
    flow = started(wired, value={"n": 7})
    flow.ok("echo", {})
    assert flow.record("echo").outcome == "wired"


def test_a_rule_that_fails_at_run_time_ends_the_stage_as_invalid_and_names_the_rule() -> None:
    rules = [{"when": "output.missing.field == 1", "outcome": "x"}]
    flow = started(agent("count", rules=rules, on={"x": "fail", "invalid": "mend"}), agent("mend"))
    flow.ok("count", {"n": 1})
    assert flow.record("count").outcome == "invalid"
    (error,) = flow.record("count").errors
    assert error["type"] == "rule_failed"
    assert "output.missing.field == 1" in error["message"]
    assert flow.active == ("mend",)


def test_ok_may_be_routed_elsewhere() -> None:
    flow = started(
        agent("build", on={"ok": "ship"}), agent("check", on={"ok": "build"}), agent("ship")
    )
    flow.ok("build")
    assert flow.active == ("ship",)


def test_approved_of_an_agent_goes_where_ok_goes() -> None:
    flow = started(agent("review", on={"ok": "ship"}), agent("mend"), agent("ship"))
    flow.says("review", "approved")
    assert flow.active == ("ship",)


def test_a_route_to_complete_ends_the_workflow_early() -> None:
    flow = started(agent("check", on={"done": "complete"}), agent("ship"))
    flow.says("check", "done", {"n": 1})
    assert flow.now.status is Status.COMPLETED


def test_a_route_to_fail_fails_the_workflow_and_says_how() -> None:
    flow = started(agent("check", on={"hopeless": "fail"}), agent("ship"))
    flow.says("check", "hopeless")
    assert flow.now.status is Status.FAILED
    assert flow.now.ending is not None
    assert flow.now.ending.reason == "check ended as hopeless"
    assert flow.now.ending.stage == "check"


# --- failure policies -----------------------------------------------------------------------------


def test_an_unrouted_failure_fails_the_workflow_by_default() -> None:
    flow = started(agent("build", retry=ONCE), agent("check"))
    flow.fails("build")
    assert flow.now.status is Status.FAILED
    assert flow.now.ending is not None
    assert flow.now.ending.errors[0]["message"] == "build broke"


def test_a_failure_may_be_routed() -> None:
    flow = started(agent("build", retry=ONCE, on={"failed": "mend"}), agent("mend"))
    flow.fails("build")
    assert flow.active == ("mend",)


def test_skip_takes_the_ok_route_with_null() -> None:
    flow = started(agent("lint", retry=ONCE, on_failure="skip"), agent("ship"), value={"n": 1})
    flow.fails("lint")
    assert flow.active == ("ship",)
    assert flow.record("lint").output is None
    assert flow.record("ship").source == ""


def test_hold_waits_for_a_person_and_says_why() -> None:
    flow = started(agent("build", retry=ONCE, on_failure="hold"), agent("check"))
    flow.fails("build")
    held = flow.now.awaiting["build"]
    assert isinstance(held, HeldWait)
    assert (held.outcome, held.reason) == ("failed", "build broke")
    assert flow.now.status is Status.WAITING
    assert flow.tasks == []


def test_a_label_that_is_a_failure_follows_the_policy_too() -> None:
    flow = started(agent("review", on_failure="hold"), agent("ship"))
    flow.says("review", "rejected", {"because": "ugly"})
    assert isinstance(flow.now.awaiting["review"], HeldWait)


# --- retries --------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_after_a_drawn_delay() -> None:
    flow = started(agent("build", retry={"attempts": 3, "delay_s": 8}))
    flow.fails("build")
    pause = flow.now.awaiting["build"]
    assert isinstance(pause, RetryWait)
    assert (pause.attempt, pause.at_ms, pause.reason) == (2, START_MS + 4_000, "build broke")
    assert flow.now.status is Status.RUNNING
    flow.fire("retry/build/1/2")
    assert flow.tasks == ["build/1/2"]


def test_the_delay_grows_exponentially() -> None:
    flow = started(agent("build", retry={"attempts": 4, "delay_s": 2, "factor": 3}))
    delays = []
    for attempt in (2, 3, 4):
        flow.fails("build")
        delays.append(flow.timers[f"retry/build/1/{attempt}"] - flow.now_ms)
        flow.fire(f"retry/build/1/{attempt}")
    assert delays == [1_000, 3_000, 9_000]


@given(
    st.builds(
        Retry,
        delay_s=st.floats(0, 1_000),
        factor=st.floats(1, 10),
        max_delay_s=st.floats(0, 1_000),
    ),
    st.integers(0, 99),
    st.floats(0, 1, exclude_max=True),
)
def test_jitter_is_full_and_the_delay_has_a_maximum(
    retry: Retry, failures: int, jitter: float
) -> None:
    longest = min(retry.max_delay_s, retry.delay_s * retry.factor**failures)
    assert backoff_s(retry, failures, 0.0) == 0
    assert backoff_s(retry, failures, jitter) == jitter * longest


def test_a_delay_of_nothing_dispatches_at_once() -> None:
    flow = started(agent("build", retry={"attempts": 2, "delay_s": 0}))
    flow.fails("build")
    assert [type(e) for e in flow.events()] == [ev.TaskFailed, ev.TaskAssigned]
    assert flow.tasks == ["build/1/2"]


def test_the_last_attempt_that_fails_ends_the_stage() -> None:
    flow = started(agent("build", retry={"attempts": 2, "delay_s": 0}))
    flow.fails("build")
    flow.fails("build")
    assert flow.record("build").outcome == "failed"
    assert flow.now.status is Status.FAILED


def test_an_error_that_is_not_retried_is_final_at_once() -> None:
    flow = started(agent("build", retry={"attempts": 5, "not_on": ["bad_request"]}))
    flow.fails("build", "bad_request")
    assert flow.record("build").outcome == "failed"


def test_an_error_that_calls_itself_final_is_final() -> None:
    flow = started(agent("build", retry={"attempts": 5}))
    flow.fails("build", final=True)
    assert flow.record("build").outcome == "failed"


def test_an_input_that_the_agent_cannot_take_is_invalid_at_once() -> None:
    flow = started(agent("build", retry={"attempts": 5}))
    flow.fails("build", "input_invalid")
    assert flow.record("build").outcome == "invalid"


def test_a_new_visit_counts_failures_anew() -> None:
    flow = started(
        agent("build", retry={"attempts": 2, "delay_s": 0}), agent("check", on={"bad": "build"})
    )
    flow.fails("build")
    flow.ok("build")
    flow.says("check", "bad")
    assert (flow.record("build").failures, flow.record("build").attempt) == (0, 1)
    flow.fails("build")
    assert flow.tasks == ["build/2/2"]


# --- contract violations --------------------------------------------------------------------------


def test_a_violation_goes_back_to_the_agent_with_what_was_wrong() -> None:
    flow = started(agent("build"))
    flow.violates("build", "n: not a number")
    task = flow.now.awaiting["build"]
    assert isinstance(task, TaskWait)
    assert task.attempt == 2
    assert task.repair[0]["message"] == "n: not a number"


def test_violations_beyond_the_repairs_end_the_stage_as_invalid() -> None:
    flow = started(agent("build", repairs=2))
    for _ in range(3):
        flow.violates("build")
    assert flow.record("build").outcome == "invalid"
    assert flow.record("build").errors[0]["type"] == "contract_violation"
    assert flow.now.status is Status.FAILED


def test_repairs_do_not_use_up_the_attempts() -> None:
    flow = started(agent("build", repairs=2, retry={"attempts": 2, "delay_s": 0}))
    flow.violates("build")
    flow.violates("build")
    flow.fails("build")
    assert flow.tasks == ["build/1/4"]
    assert (flow.record("build").repairs, flow.record("build").failures) == (2, 1)


def test_an_attempt_that_fails_during_a_repair_still_carries_the_feedback() -> None:
    flow = started(agent("build", retry={"attempts": 3, "delay_s": 8}))
    flow.violates("build", "n: not a number")
    flow.fails("build")
    flow.fire("retry/build/1/3")
    task = flow.now.awaiting["build"]
    assert isinstance(task, TaskWait)
    assert task.repair[0]["message"] == "n: not a number"


def test_a_violation_that_the_runner_found_counts_as_one() -> None:
    flow = started(agent("build", repairs=0))
    flow.fails("build", "contract_violation")
    assert flow.record("build").outcome == "invalid"


def test_an_outcome_without_a_route_is_a_contract_violation() -> None:
    flow = started(agent("build", on={"odd": "complete"}))
    flow.says("build", "surprise", {"n": 1})
    task = flow.now.awaiting["build"]
    assert isinstance(task, TaskWait)
    (wrong,) = task.repair
    assert wrong["path"] == "outcome"
    assert "'surprise'" in wrong["message"]
    assert "odd, ok" in wrong["message"]


def test_the_output_of_a_refused_outcome_is_not_the_stages_output() -> None:
    flow = started(agent("build"))
    flow.says("build", "surprise", {"n": "wrong"})
    flow.ok("build", {"n": "right"})
    assert flow.output("build") == {"n": "right"}


def test_the_output_of_a_stage_that_was_held_is_not_in_the_way_of_the_next() -> None:
    rules = [{"when": "output.n > 1", "outcome": "x"}]
    flow = started(agent("build", rules=rules, on={"x": "fail"}, on_failure="hold"))
    flow.ok("build", {"n": "text"})
    flow.retry()
    flow.ok("build", {"n": 1})
    assert flow.output("build") == {"n": 1}


# --- lost agents and timeouts ---------------------------------------------------------------------


def test_an_attempt_whose_agents_were_lost_fails_as_agent_lost_and_is_retried() -> None:
    flow = started(agent("build", retry={"attempts": 2, "delay_s": 0}))
    flow.loses("build")
    assert flow.record("build").errors[0]["type"] == "agent_lost"
    assert flow.tasks == ["build/1/2"]
    flow.loses("build")
    assert flow.record("build").outcome == "failed"


def test_a_timeout_is_retried_and_then_ends_the_stage_as_timeout() -> None:
    flow = started(agent("build", timeout_s=60, retry={"attempts": 2, "delay_s": 0}))
    flow.loses("build", timed_out=True)
    assert flow.tasks == ["build/1/2"]
    flow.loses("build", timed_out=True)
    assert flow.record("build").outcome == "timeout"
    assert flow.record("build").errors[0]["message"] == "took longer than 60 s"


def test_a_timeout_may_be_routed() -> None:
    flow = started(agent("build", retry=ONCE, on={"timeout": "mend"}), agent("mend"))
    flow.loses("build", timed_out=True)
    assert flow.active == ("mend",)


def test_an_expired_lease_of_an_attempt_that_is_over_changes_nothing() -> None:
    flow = started(agent("build"), agent("check"))
    task = flow.task("build")
    flow.ok("build")
    decision = flow.tell(m.TaskExpired(task, timed_out=False))
    assert decision.events == ()
    assert decision.remark == "nothing waits for build visit 1 attempt 1"


# --- what is not awaited --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task",
    [
        TaskId(WORKFLOW, "build", 1, 1),
        TaskId(WORKFLOW, "build", 2, 2),
        TaskId(WORKFLOW, "build", 3, 1),
        TaskId(WORKFLOW, "check", 1, 1),
        TaskId(WORKFLOW, "unheard", 1, 1),
    ],
    ids=str,
)
def test_a_result_that_is_not_awaited_is_a_no_op_with_a_reason(task: TaskId) -> None:
    flow = started(agent("build"), agent("check", on={"bad": "build"}))
    flow.ok("build")
    flow.says("check", "bad")
    before = flow.state
    decision = flow.tell(m.Result(task, True))
    assert decision.events == ()
    assert decision.remark.startswith("nothing waits for ")
    assert flow.state is before


def test_a_result_given_twice_is_applied_once() -> None:
    flow = started(agent("build"), agent("check"))
    task = flow.task("build")
    flow.ok("build", {"n": 1})
    flow.tell(m.Result(task, True, b'{"n":2}'))
    assert flow.output("build") == {"n": 1}
    assert len(flow.log) == 2


def test_messages_for_a_workflow_that_does_not_exist_are_ignored() -> None:
    decision = kernel(agent("build")).tell(m.TimerFired("deadline", 1))
    assert decision.events == ()
    assert decision.remark == "the workflow does not exist"


@pytest.mark.parametrize("timer_id", ["retry/build/1/2", "timer/build/1", "deadline", "nonsense"])
def test_a_timer_that_nothing_awaits_is_a_no_op_with_a_reason(timer_id: str) -> None:
    flow = started(agent("build"))
    decision = flow.tell(m.TimerFired(timer_id, flow.now_ms))
    assert decision.events == ()
    assert decision.remark == f"timer {timer_id} is not awaited"


def test_a_timer_that_comes_before_its_instant_does_nothing() -> None:
    flow = started(wait("nap", for_s=10))
    flow.now_ms += 9_999
    assert flow.tell(m.TimerFired("timer/nap/1", flow.now_ms)).events == ()
    flow.now_ms += 1
    assert flow.tell(m.TimerFired("timer/nap/1", flow.now_ms)).events != ()


# --- the deadline ---------------------------------------------------------------------------------


def test_the_deadline_fails_the_workflow_where_it_stands() -> None:
    flow = started(agent("build"), deadline_s=60)
    assert flow.timers == {"deadline": START_MS + 60_000}
    flow.fire("deadline")
    assert flow.now.status is Status.FAILED
    assert flow.now.ending is not None
    assert (flow.now.ending.reason, flow.now.ending.stage) == ("deadline passed", "build")


def test_a_start_may_set_a_deadline_of_its_own() -> None:
    flow = kernel(agent("build"), deadline_s=60)
    flow.start(deadline_s=5)
    assert flow.timers == {"deadline": START_MS + 5_000}


# --- terminal states ------------------------------------------------------------------------------


def _ended(how: str) -> tuple[Kernel, TaskId]:
    flow = started(agent("build", retry=ONCE, timeout_s=9), deadline_s=60)
    task = flow.task("build")
    {
        "completed": lambda: flow.ok("build"),
        "failed": lambda: flow.fails("build"),
        "cancelled": flow.cancel,
    }[how]()
    return flow, task


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
def test_a_terminal_state_absorbs_results_timers_and_lost_leases(how: str) -> None:
    flow, task = _ended(how)
    assert flow.now.status.value == how
    before = flow.state
    late: list[Any] = [
        m.Result(task, True),
        m.TaskExpired(task, timed_out=True),
        m.TimerFired("deadline", START_MS + 60_000),
    ]
    for message in late:
        assert flow.tell(message).remark == f"the workflow is {how}"
    assert flow.state is before


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
def test_a_terminal_state_has_nothing_in_flight(how: str) -> None:
    flow, _ = _ended(how)
    assert (flow.tasks, flow.timers, flow.active) == ([], {}, ())


def test_cancelling_ends_everything_and_late_results_change_nothing() -> None:
    flow = started(parallel("both", [agent("a")], [wait("b", for_s=5)]), approval("sign"))
    task = flow.task("a")
    flow.cancel()
    assert flow.now.ending is not None
    assert (flow.now.ending.reason, flow.now.ending.by) == ("no more", "ann")
    assert flow.tell(m.Result(task, True)).remark == "the workflow is cancelled"
    assert flow.now.status is Status.CANCELLED

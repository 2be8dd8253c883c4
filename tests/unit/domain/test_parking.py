"""While a workflow is paused, what comes in is recorded; on resume it is applied in order."""

from __future__ import annotations

import pytest

from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.ids import TaskId
from stagewright.domain.parking import unpark
from stagewright.domain.workflow import ApprovalWait, Parked, RetryWait, Status
from tests.unit.domain.kernel import WORKFLOW, Kernel, agent, approval, parallel, started, wait

ONCE = {"attempts": 1}


def completions(flow: Kernel) -> list[tuple[str, str]]:
    """Stages that ended in the newest decision, in order, with their outcomes."""
    return [(e.stage, e.outcome) for e in flow.events() if isinstance(e, ev.StageComplete)]


def test_a_result_is_recorded_while_paused_and_its_task_is_no_longer_in_flight() -> None:
    flow = started(agent("build"), agent("check"))
    flow.pause()
    flow.ok("build", {"n": 1})
    assert flow.active == ("build",)
    assert flow.tasks == []
    assert [(p.kind, p.ref) for p in flow.now.parked] == [("result", f"{WORKFLOW}/build/1/1")]


def test_what_was_recorded_is_applied_on_resume_in_that_step() -> None:
    flow = started(agent("build"), agent("check"))
    flow.pause()
    flow.ok("build", {"n": 1})
    flow.resume()
    assert flow.output("build") == {"n": 1}
    assert flow.active == ("check",)
    assert flow.now.parked == ()
    assert [type(e) for e in flow.events()] == [
        ev.WorkflowResumed,
        ev.StageComplete,
        ev.TaskAssigned,
    ]


def test_results_are_applied_in_the_order_they_came() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")], [agent("c")]), agent("after"))
    flow.pause()
    for stage in ("b", "c", "a"):
        flow.ok(stage)
    flow.resume()
    assert [stage for stage, _ in completions(flow)] == ["b", "c", "a", "fan"]


def test_a_result_after_the_join_was_decided_is_not_needed() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")], join="any"), agent("after"))
    flow.pause()
    flow.ok("b", "first")
    flow.ok("a", "second")
    flow.resume()
    assert flow.output("fan") == {"to-b": {"outcome": "ok", "output": "first"}}


def test_a_result_given_twice_while_paused_is_recorded_once() -> None:
    flow = started(agent("build"))
    flow.pause()
    flow.ok("build", 1)
    decision = flow.ok("build", 2)
    assert decision.events == ()
    assert decision.remark.endswith("is recorded already; the workflow is paused")


def test_a_result_that_nothing_awaits_is_not_recorded_for_ever() -> None:
    flow = started(agent("build"), agent("check"))
    old = flow.task("build")
    flow.ok("build")
    flow.pause()
    decision = flow.tell(m.Result(old, True))
    assert decision.events == ()
    assert decision.remark == "nothing waits for build visit 1 attempt 1"


def test_failures_violations_and_lost_leases_are_recorded_too() -> None:
    flow = started(
        parallel("fan", [agent("a", retry=ONCE)], [agent("b")], [agent("c")], join="any")
    )
    flow.pause()
    flow.fails("a")
    flow.violates("b")
    flow.loses("c")
    flow.resume()
    assert completions(flow) == [("a", "failed")]
    assert flow.tasks == ["b/1/2"]
    assert isinstance(flow.now.awaiting["c"], RetryWait)


def test_a_timer_is_recorded_and_is_no_longer_in_flight() -> None:
    flow = started(wait("nap", for_s=5), agent("after"))
    flow.pause()
    flow.fire("timer/nap/1")
    assert flow.active == ("nap",)
    assert [(p.kind, p.ref) for p in flow.now.parked] == [("timer", "timer/nap/1")]
    flow.resume()
    assert flow.active == ("after",)


def test_a_timer_that_nothing_awaits_is_not_recorded() -> None:
    flow = started(agent("build"))
    flow.pause()
    decision = flow.tell(m.TimerFired("timer/build/1", flow.now_ms))
    assert decision.events == ()
    assert decision.remark == "timer timer/build/1 is not awaited"


def test_the_deadline_runs_on_while_paused() -> None:
    flow = started(agent("build"), deadline_s=60)
    flow.pause()
    flow.fire("deadline")
    assert flow.now.status is Status.FAILED


def test_votes_count_while_paused_and_take_effect_on_resume() -> None:
    flow = started(approval("sign", "ann", "bob", required=2), agent("ship"))
    flow.vote("sign", "ann")
    flow.pause()
    flow.vote("sign", "bob")
    assert flow.answer.detail == "recorded; the workflow is paused"
    found = flow.now.awaiting["sign"]
    assert isinstance(found, ApprovalWait)
    assert [vote.by for vote in found.votes] == ["ann", "bob"]
    flow.resume()
    assert flow.active == ("ship",)


def test_a_vote_after_the_deciding_one_is_refused_also_while_paused() -> None:
    flow = started(approval("sign", "ann", "bob"), agent("ship"))
    flow.pause()
    flow.vote("sign", "ann")
    flow.vote("sign", "bob", approved=False)
    assert (flow.answer.ok, flow.answer.code) == (False, "already_decided")
    flow.resume()
    assert flow.record("sign").outcome == "approved"


def test_an_approval_that_still_lacks_votes_waits_on_after_resume() -> None:
    flow = started(approval("sign", "ann", "bob", required=2))
    flow.pause()
    flow.vote("sign", "ann")
    flow.resume()
    assert flow.active == ("sign",)


def test_two_approvals_decided_while_paused_and_one_of_them_enough() -> None:
    flow = started(
        parallel("fan", [approval("one")], [approval("two")], join="any"), agent("after")
    )
    flow.pause()
    flow.vote("one", "ann")
    flow.vote("two", "ann")
    flow.resume()
    assert flow.active == ("after",)
    assert completions(flow) == [("one", "approved"), ("fan", "ok")]


def test_a_signal_is_kept_while_paused_and_taken_on_resume() -> None:
    flow = started(wait("paid", signal="payment"), agent("ship"))
    flow.pause()
    flow.signal("payment", 7)
    assert flow.answer.detail == "kept"
    flow.resume()
    assert flow.output("paid") == 7
    assert flow.active == ("ship",)


def test_a_signal_and_its_timeout_while_paused_give_the_signal() -> None:
    flow = started(wait("paid", signal="payment", timeout_s=5), agent("ship"))
    flow.pause()
    flow.signal("payment", 7)
    flow.fire("signal/paid/1")
    flow.resume()
    assert flow.record("paid").outcome == "ok"


def test_a_resumed_wait_without_its_signal_waits_on() -> None:
    flow = started(wait("paid", signal="payment"))
    flow.pause()
    flow.signal("other")
    flow.resume()
    assert flow.active == ("paid",)


def test_a_result_recorded_before_its_stage_was_quarantined_is_not_lost() -> None:
    flow = started(agent("build"), agent("check"))
    flow.pause()
    flow.ok("build", {"n": 1})
    flow.hold("build")
    flow.resume()
    assert flow.output("build") == {"n": 1}
    assert flow.active == ("check",)


def test_a_resume_that_ends_the_workflow_applies_nothing_after_that() -> None:
    flow = started(parallel("fan", [agent("a", retry=ONCE)], [approval("b")]))
    flow.pause()
    flow.fails("a")
    flow.vote("b", "ann")
    flow.resume()
    assert flow.now.status is Status.FAILED


@pytest.mark.parametrize("kind", ["result", "expired"])
def test_a_record_of_another_workflow_is_not_applied(kind: str) -> None:
    parked = Parked(kind, str(TaskId("p02-" + "1" * 32, "build", 1, 1)), {})
    with pytest.raises(ValueError, match="recorded for another workflow"):
        unpark(WORKFLOW, parked)

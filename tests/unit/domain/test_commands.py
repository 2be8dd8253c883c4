"""Commands: all are answered, and a refusal changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain import events as ev
from stagewright.domain import messages as m
from stagewright.domain.workflow import (
    COMMANDS_KEPT,
    SIGNALS_KEPT,
    ApprovalWait,
    HeldWait,
    StageRecord,
    Status,
    TaskWait,
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


def refused(flow: Kernel, code: str) -> str:
    """The newest command was refused with this code and changed nothing; return its sentence."""
    assert flow.last is not None
    assert flow.last.events == ()
    assert (flow.answer.ok, flow.answer.code) == (False, code)
    return flow.answer.detail


# --- start ----------------------------------------------------------------------------------------


def test_a_start_creates_the_workflow_and_enters_the_first_stage() -> None:
    flow = kernel(agent("build"), labels={"team": "red", "env": "dev"}, priority=1)
    flow.start({"n": 1}, key="order-7", labels={"env": "prod"})
    assert flow.answer.ok
    assert flow.tasks == ["build/1/1"]
    assert flow.stored["input"] == b'{"n":1}'
    assert (flow.now.key, flow.now.priority) == ("order-7", 1)
    assert flow.now.labels == {"team": "red", "env": "prod"}
    assert flow.now.status is Status.RUNNING


def test_a_start_may_choose_the_priority() -> None:
    flow = kernel(agent("build"), priority=1)
    flow.start(priority=0)
    assert flow.now.priority == 0
    assert isinstance(flow.now.awaiting["build"], TaskWait)
    assert flow.now.awaiting["build"].priority == 0


def test_the_same_start_again_is_repeated() -> None:
    flow = started(agent("build"))
    flow.start()
    assert (flow.answer.ok, flow.answer.code) == (True, "repeated")
    assert len(flow.log) == 1


def test_another_body_under_the_same_key_is_a_conflict() -> None:
    flow = started(agent("build"))
    flow.start(body_hash="another")
    refused(flow, "conflict")


def test_a_finished_workflow_still_knows_its_start() -> None:
    flow = started(agent("build"))
    flow.ok("build")
    flow.start()
    assert flow.answer.code == "repeated"


@pytest.mark.parametrize("stage", ["nowhere", "a"])
def test_a_start_from_what_is_no_stage_of_the_workflow_itself_is_refused(stage: str) -> None:
    flow = kernel(parallel("fan", [agent("a")]))
    flow.start(from_stage=stage)
    assert refused(flow, "unknown_stage") == f"{stage!r} is not a stage to start from"
    assert flow.state is None


def test_a_successor_starts_where_it_is_told_with_what_that_stage_was_given() -> None:
    flow = kernel(agent("build"), agent("check"))
    carried = {
        "build": StageRecord(outcome="ok", output="carried/build/1", source="input"),
        "check": StageRecord(source="carried/build/1"),
    }
    outputs = {"carried/build/1": b'{"n":1}'}
    flow.start(from_stage="check", carried=carried, carried_outputs=outputs, continues="p01-0")
    assert flow.now.continues == "p01-0"
    assert flow.tasks == ["check/1/1"]
    assert flow.record("check").source == "carried/build/1"
    flow.ok("check", 5)
    assert flow.now.status is Status.COMPLETED


def test_a_successors_stage_that_was_given_nothing_is_given_nothing_again() -> None:
    flow = kernel(agent("lint", on_failure="skip"), agent("ship"))
    flow.start({"n": 1}, from_stage="ship", carried={"ship": StageRecord(source="")})
    assert flow.record("ship").source == ""


def test_a_successor_from_a_stage_that_was_never_entered_gives_it_the_input() -> None:
    flow = kernel(agent("lint"), agent("ship"))
    flow.start({"n": 1}, from_stage="ship")
    assert flow.record("ship").source == "input"


# --- repeated and old commands --------------------------------------------------------------------


def test_a_repeated_command_gets_the_same_answer_and_changes_nothing() -> None:
    flow = started(agent("build"), wait("paid", signal="payment"))
    first = flow.signal("payment", 7, command_id="c0").answer
    again = flow.signal("payment", 7, command_id="c0")
    assert again.answer == first
    assert again.events == ()
    assert len(flow.now.signals) == 1


def test_a_repeated_command_is_known_after_the_workflow_ended() -> None:
    flow = started(agent("build"))
    flow.tell(m.CancelWorkflow("c1", "ann"))
    assert flow.answer.ok
    flow.tell(m.CancelWorkflow("c1", "ann"))
    assert flow.answer.ok


def _many(flow: Kernel, number: int) -> None:
    """Send so many commands that are accepted."""
    for _ in range(number // 2):
        flow.pause()
        flow.resume()


def test_the_newest_commands_are_kept_and_older_ids_are_refused() -> None:
    flow = started(agent("build"))
    _many(flow, COMMANDS_KEPT)
    assert len(flow.now.answers) == COMMANDS_KEPT
    flow.pause(f"{1:032x}")  # the id of the start, which has just been forgotten
    assert "newest 128" in refused(flow, "too_old")


def test_a_command_that_is_only_just_kept_is_still_answered() -> None:
    flow = started(agent("build"))
    _many(flow, COMMANDS_KEPT)
    flow.pause(f"{2:032x}")
    assert flow.answer.ok
    assert flow.events() == []


def test_a_refused_command_is_not_kept() -> None:
    flow = started(agent("build"))
    flow.resume()
    refused(flow, "not_paused")
    assert len(flow.now.answers) == 1


@pytest.mark.parametrize("how", ["signal", "pause", "resume", "cancel", "retry"])
def test_a_command_to_a_workflow_that_ended_is_refused(how: str) -> None:
    flow = started(agent("build"))
    flow.ok("build")
    getattr(flow, how)(*(["s"] if how == "signal" else []))
    assert refused(flow, "ended") == "it has ended: completed"


def test_a_command_to_nothing_is_not_found() -> None:
    flow = kernel(agent("build"))
    flow.pause()
    refused(flow, "not_found")


# --- signals --------------------------------------------------------------------------------------


def test_a_signal_that_nothing_waits_for_is_kept() -> None:
    flow = started(agent("build"))
    flow.signal("payment", 7)
    assert flow.answer.detail == "kept"
    assert [kept.name for kept in flow.now.signals] == ["payment"]


def test_so_many_signals_are_kept_and_then_refused() -> None:
    flow = started(agent("build"))
    for number in range(SIGNALS_KEPT):
        flow.signal(f"s{number}")
        assert flow.answer.ok
    flow.signal("one-more")
    assert refused(flow, "full") == "64 signals are kept already"


def test_a_signal_that_is_waited_for_is_taken_though_many_are_kept() -> None:
    flow = started(wait("paid", signal="payment"))
    for number in range(SIGNALS_KEPT):
        flow.signal(f"s{number}")
    flow.signal("payment")
    assert flow.answer.detail == "taken by paid"


def test_one_signal_ends_one_wait() -> None:
    flow = started(parallel("both", [wait("one", signal="s")], [wait("two", signal="s")]))
    flow.signal("s")
    assert flow.active == ("both", "two")


# --- approvals ------------------------------------------------------------------------------------


def asked(flow: Kernel) -> ApprovalWait:
    found = flow.now.awaiting["sign"]
    assert isinstance(found, ApprovalWait)
    return found


def test_one_approval_is_enough_by_default() -> None:
    flow = started(approval("sign", "ann", "bob"), agent("ship"))
    flow.vote("sign", "bob", comment="fine", data={"n": 1})
    assert flow.answer.detail == "approved"
    assert flow.active == ("ship",)
    assert flow.output("sign") == {
        "decision": "approved",
        "decided_by": ["bob"],
        "at": START_MS,
        "comment": "fine",
        "data": {"n": 1},
    }


def test_several_approvals_are_counted_by_person() -> None:
    flow = started(approval("sign", "ann", "bob", "cem", required=2), agent("ship"))
    flow.vote("sign", "ann")
    assert flow.answer.detail == "1 more to decide"
    flow.vote("sign", "ann")
    assert refused(flow, "already_decided") == "ann has decided already"
    flow.vote("sign", "cem")
    assert flow.active == ("ship",)
    assert flow.output("sign")["decided_by"] == ["ann", "cem"]


def test_one_rejection_rejects() -> None:
    flow = started(
        approval("sign", "ann", "bob", required=2, on={"rejected": "mend"}), agent("mend")
    )
    flow.vote("sign", "ann")
    flow.vote("sign", "bob", approved=False, comment="too ugly")
    assert flow.record("sign").outcome == "rejected"
    assert flow.record("sign").errors[0] == {"type": "rejected", "message": "too ugly", "by": "bob"}
    assert flow.output("sign")["decision"] == "rejected"


def test_a_rejection_without_comment_names_who_rejected() -> None:
    flow = started(approval("sign", on={"rejected": "mend"}), agent("mend"))
    flow.vote("sign", "bob", approved=False)
    assert flow.record("sign").errors[0]["message"] == "rejected by bob"


def test_an_unrouted_rejection_follows_the_failure_policy() -> None:
    flow = started(approval("sign"), agent("ship"))
    flow.vote("sign", "bob", approved=False)
    assert flow.now.status is Status.FAILED


def test_a_stranger_may_not_decide() -> None:
    flow = started(approval("sign", "ann", "group:leads"))
    flow.vote("sign", "eve", groups=("staff",))
    assert refused(flow, "not_allowed") == "eve is not among ann, group:leads"


@pytest.mark.parametrize("name", ["leads", "group:leads"])
def test_a_member_of_a_group_that_is_asked_may_decide(name: str) -> None:
    flow = started(approval("sign", "ann", "group:leads"))
    flow.vote("sign", "eve", groups=("staff", name))
    assert flow.answer.ok


def test_a_group_named_like_a_person_is_not_that_person() -> None:
    flow = started(approval("sign", "ann"))
    flow.vote("sign", "eve", groups=("ann",))
    refused(flow, "not_allowed")


def test_anyone_may_decide_where_anyone_is_asked() -> None:
    flow = started(approval("sign", "*"))
    flow.vote("sign", "eve")
    assert flow.answer.ok


def reworked() -> Kernel:
    """An approval in its second round."""
    flow = started(agent("build"), approval("sign", on={"rejected": "build"}))
    flow.ok("build", 1)
    flow.vote("sign", "ann", approved=False)
    flow.ok("build", 2)
    return flow


def test_a_decision_about_an_earlier_round_is_refused() -> None:
    flow = reworked()
    flow.vote("sign", "ann", visit=1)
    assert refused(flow, "stale") == "that decision is about round 1; this is round 2"
    flow.vote("sign", "ann", visit=2, shown_hash=asked(flow).shown_hash)
    assert flow.answer.ok


def test_a_decision_about_something_else_than_is_shown_is_refused() -> None:
    flow = reworked()
    flow.vote("sign", "ann", visit=2, shown_hash="0" * 64)
    assert "changed" in refused(flow, "stale")


@pytest.mark.parametrize("stage", ["build", "nowhere"])
def test_a_decision_about_what_is_no_approval_is_refused(stage: str) -> None:
    flow = started(agent("build"))
    flow.vote(stage, "ann")
    assert refused(flow, "not_awaited") == f"{stage} does not wait for an approval"


FORM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(("data", "where"), [({"n": "x"}, "n: "), ({}, "data: ")])
def test_an_approval_must_fill_the_form(data: Any, where: str) -> None:
    flow = started(approval("sign", form=FORM))
    flow.vote("sign", "ann", data=data)
    assert refused(flow, "invalid").startswith(where)


def test_a_form_that_is_filled_counts_and_a_rejection_needs_none() -> None:
    for fields in ({"data": {"n": 1}}, {"approved": False}):
        flow = started(approval("sign", form=FORM))
        flow.vote("sign", "ann", **fields)
        assert flow.answer.ok


# --- pause and cancel -----------------------------------------------------------------------------


def test_a_paused_workflow_says_who_paused_it_and_why() -> None:
    flow = started(agent("build"))
    flow.pause()
    assert flow.now.status is Status.PAUSED
    assert flow.now.paused is not None
    assert (flow.now.paused.by, flow.now.paused.reason) == ("ann", "lunch")
    flow.resume()
    assert flow.now.status is Status.RUNNING


def test_pausing_twice_and_resuming_twice_are_refused() -> None:
    flow = started(agent("build"))
    flow.pause()
    flow.pause()
    assert refused(flow, "already") == "it is paused by ann already"
    flow.resume()
    flow.resume()
    refused(flow, "not_paused")


def test_a_paused_workflow_can_be_cancelled() -> None:
    flow = started(agent("build"))
    flow.pause()
    flow.cancel()
    assert flow.now.status is Status.CANCELLED
    assert flow.now.paused is None


# --- retry ----------------------------------------------------------------------------------------


def test_what_is_held_is_dispatched_again_in_place_with_fresh_counts() -> None:
    flow = started(agent("build", retry={"attempts": 2, "delay_s": 0}, on_failure="hold"))
    flow.fails("build")
    flow.fails("build")
    flow.retry()
    assert flow.answer.detail == "dispatched again: build"
    assert flow.tasks == ["build/1/3"]
    assert flow.record("build").failures == 0
    flow.fails("build")
    assert flow.tasks == ["build/1/4"]


def test_what_is_held_as_invalid_may_be_repaired_anew() -> None:
    flow = started(agent("build", repairs=1, on_failure="hold"))
    flow.violates("build")
    flow.violates("build")
    flow.retry()
    assert flow.record("build").repairs == 0
    flow.violates("build")
    assert flow.tasks == ["build/1/4"]


def test_a_stage_that_waits_for_its_next_attempt_may_be_hurried() -> None:
    flow = started(agent("build", retry={"attempts": 3, "delay_s": 60}))
    flow.fails("build")
    flow.retry("build")
    assert flow.tasks == ["build/1/2"]
    assert flow.timers == {}


def test_a_held_stage_without_an_agent_is_entered_again() -> None:
    flow = started(approval("sign", timeout_s=5, on_failure="hold"))
    flow.fire("approval/sign/1")
    flow.retry("sign")
    assert asked(flow).visit == 2


def test_a_held_group_is_entered_again() -> None:
    flow = started(parallel("fan", [agent("a", retry=ONCE)], [agent("b")], on_failure="hold"))
    flow.fails("a")
    flow.retry()
    assert flow.tasks == ["a/2/1", "b/2/1"]


@pytest.mark.parametrize("stage", [None, "build", "nowhere"])
def test_there_must_be_something_to_retry(stage: str | None) -> None:
    flow = started(agent("build"))
    flow.retry(stage)
    refused(flow, "not_held")


def test_a_retry_that_decides_a_join_leaves_the_other_held_branches_alone() -> None:
    failing = {"signal": "s", "timeout_s": 5, "on_failure": "hold"}
    flow = started(
        parallel(
            "fan", [wait("a", **failing)], [agent("b", retry=ONCE, on_failure="hold")], join="any"
        ),
        agent("after"),
    )
    flow.fails("b")
    flow.fire("signal/a/1")
    flow.signal("s")
    flow.retry()
    assert flow.active == ("after",)


# --- quarantine -----------------------------------------------------------------------------------


def test_a_quarantined_stage_waits_for_a_person_with_the_reason() -> None:
    flow = started(agent("build"))
    flow.hold("build", "three crashes")
    held = flow.now.awaiting["build"]
    assert isinstance(held, HeldWait)
    assert (held.outcome, held.reason) == ("quarantined", "three crashes")
    assert flow.tasks == []
    flow.retry()
    assert flow.tasks == ["build/1/2"]


@pytest.mark.parametrize(
    "stage",
    [wait("w", for_s=5), wait("w", signal="s"), approval("w")],
    ids=["timer", "signal", "approval"],
)
def test_whatever_waits_can_be_quarantined(stage: dict[str, Any]) -> None:
    flow = started(stage)
    flow.hold("w")
    assert isinstance(flow.now.awaiting["w"], HeldWait)
    assert flow.timers == {}


def test_groups_and_what_is_held_already_cannot_be_quarantined() -> None:
    flow = started(parallel("fan", [agent("a")]))
    flow.hold("fan")
    refused(flow, "not_awaited")
    flow.hold("a")
    flow.hold("a")
    assert refused(flow, "not_awaited") == "a has nothing in flight"


def test_the_very_result_that_a_stage_is_quarantined_on_still_counts() -> None:
    flow = started(agent("build"), agent("check"))
    task = flow.task("build")
    flow.hold("build")
    flow.tell(m.Result(task._replace(attempt=2), True))
    assert flow.events() == []
    flow.tell(m.Result(task, True, b'{"n":1}'))
    assert flow.output("build") == {"n": 1}
    assert flow.active == ("check",)


def test_a_lost_lease_of_a_quarantined_task_changes_nothing() -> None:
    flow = started(agent("build"))
    task = flow.task("build")
    flow.hold("build")
    assert flow.tell(m.TaskExpired(task, timed_out=True)).events == ()


def test_quarantine_is_never_too_old() -> None:
    flow = started(agent("build"))
    _many(flow, COMMANDS_KEPT)
    flow.tell(m.HoldStage("0" * 32, "build", "it crashed"))
    assert flow.answer.ok


def test_a_group_goes_on_once_the_quarantined_branch_does() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")]), agent("after"))
    flow.hold("a")
    flow.ok("b")
    flow.retry("a")
    flow.ok("a")
    assert flow.active == ("after",)
    assert flow.events(ev.BranchEnded) != []

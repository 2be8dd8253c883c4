"""What a step asks of the store: all of it a function of the snapshot."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from stagewright.domain.effects import (
    EMPTY,
    FEEDBACK_LIMIT,
    feedback,
    in_flight,
    index_changed,
    task_body,
    waiting_kinds,
)
from stagewright.domain.outputs import OutputMissing
from tests.unit.domain.kernel import (
    START_MS,
    Kernel,
    agent,
    approval,
    dumps,
    parallel,
    started,
    wait,
)


def body(flow: Kernel, stage: str) -> dict[str, Any]:
    """The task of the stage as its runner reads it."""
    parsed = orjson.loads(task_body(flow.plan, flow.now, flow.outputs, str(flow.task(stage))))
    assert isinstance(parsed, dict)
    return parsed


def test_nothing_is_in_flight_before_the_start_and_after_the_end() -> None:
    flow = started(agent("a"), deadline_s=5)
    flow.cancel()
    assert in_flight(None) is EMPTY
    assert in_flight(flow.state) is EMPTY


def test_a_dispatched_stage_has_a_task_and_every_instant_a_timer() -> None:
    branches = [
        [agent("a", retry={"attempts": 2, "delay_s": 10})],
        [agent("b")],
        [wait("c", for_s=1)],
        [wait("d", signal="s", timeout_s=2)],
        [wait("e", signal="s")],
        [approval("f", timeout_s=3)],
        [approval("g")],
    ]
    flow = started(parallel("fan", *branches), deadline_s=9)
    flow.fails("a")
    assert flow.tasks == ["b/1/1"]
    assert in_flight(flow.state).timers == {
        "deadline": START_MS + 9_000,
        "retry/a/1/2": START_MS + 5_000,
        "timer/c/1": START_MS + 1_000,
        "signal/d/1": START_MS + 2_000,
        "approval/f/1": START_MS + 3_000,
    }


def test_what_was_recorded_while_paused_is_no_longer_in_flight() -> None:
    flow = started(parallel("fan", [agent("a")], [wait("b", for_s=1)], [agent("c")]))
    flow.pause()
    flow.ok("a")
    flow.fire("timer/b/1")
    flight = in_flight(flow.state)
    assert [id_.partition("/")[2] for id_ in flight.tasks] == ["c/1/1"]
    assert flight.timers == {}


def test_the_kinds_of_waiting_are_distinct_and_sorted() -> None:
    flow = started(parallel("fan", [agent("a")], [agent("b")], [approval("c")]))
    assert waiting_kinds(flow.now) == ("approval", "group", "task")
    flow.pause()
    assert waiting_kinds(flow.now) == ("approval", "group", "paused", "task")


def test_the_index_changes_with_status_or_kind_of_waiting_only() -> None:
    flow = started(agent("a"), agent("b"), approval("c"))
    changes = [index_changed(None, flow.now)]
    for tell in (lambda: flow.ok("a"), lambda: flow.ok("b"), lambda: flow.vote("c", "ann")):
        before = flow.state
        tell()
        changes.append(index_changed(before, flow.now))
    assert changes == [True, False, True, True]


def test_a_task_carries_the_output_of_the_stage_before() -> None:
    flow = started(agent("a"), agent("b"), value={"n": 1})
    assert body(flow, "a")["input"] == {"n": 1}
    flow.ok("a", [1, 2])
    assert body(flow, "b")["input"] == [1, 2]


def test_a_task_carries_what_its_template_asks_for() -> None:
    template = {"n": {"from": "input.n"}, "list": [{"from": "stages.a.output.0"}, "literal"]}
    flow = started(agent("a"), agent("b", **{"with": template}), value={"n": 1})
    flow.ok("a", [7])
    assert body(flow, "b")["input"] == {"n": 1, "list": [7, "literal"]}


def test_a_task_names_its_definition_and_the_contract_it_was_promised() -> None:
    contract = {"agent": "a", "version": "1.3.0", "hash": "0" * 64}
    flow = started(agent("a"), contracts={"a": contract})
    assert body(flow, "a")["contract"] == contract
    assert body(flow, "a")["definition"] == "job@1.0.0"
    assert body(started(agent("a")), "a")["contract"] is None


def test_a_repair_carries_what_was_wrong() -> None:
    flow = started(agent("a"))
    assert "repair" not in body(flow, "a")
    flow.violates("a", "n is text")
    assert [wrong["message"] for wrong in body(flow, "a")["repair"]] == ["n is text"]


def reworked() -> Kernel:
    """`build`, back from a check that found fault."""
    flow = started(agent("build"), agent("lint"), agent("check", on={"bad": "build"}))
    flow.ok("build", 1)
    flow.ok("lint", "clean")
    flow.says("check", "bad", {"because": "ugly"})
    return flow


def test_a_later_round_carries_what_ended_since_the_one_before_in_order() -> None:
    flow = reworked()
    assert body(flow, "build")["feedback"] == [
        {"stage": "lint", "visit": 1, "outcome": "ok", "errors": [], "output": "clean"},
        {
            "stage": "check",
            "visit": 1,
            "outcome": "bad",
            "errors": [],
            "output": {"because": "ugly"},
        },
    ]


def test_the_first_round_has_no_feedback() -> None:
    flow = started(agent("a"), agent("b"))
    flow.ok("a")
    assert body(flow, "b")["feedback"] == []


def test_a_rejection_is_feedback_with_its_reason() -> None:
    flow = started(agent("build"), approval("sign", on={"rejected": "build"}))
    flow.ok("build")
    flow.vote("sign", "ann", approved=False, comment="too long")
    (round_,) = body(flow, "build")["feedback"]
    assert round_["outcome"] == "rejected"
    assert round_["errors"][0]["message"] == "too long"


def test_only_what_ended_since_the_last_round_is_feedback() -> None:
    flow = reworked()
    flow.ok("build", 2)
    flow.ok("lint", "dirty")
    flow.says("check", "bad")
    assert [(r["stage"], r["visit"]) for r in body(flow, "build")["feedback"]] == [
        ("lint", 2),
        ("check", 2),
    ]


def test_what_ended_before_the_last_round_is_no_feedback() -> None:
    flow = started(agent("plan"), agent("build"), agent("check", on={"bad": "build"}))
    flow.ok("plan")
    flow.ok("build")
    flow.says("check", "bad")
    assert [r["stage"] for r in body(flow, "build")["feedback"]] == ["check"]


def test_feedback_is_bounded_to_the_newest() -> None:
    branches = [[agent(f"b{n:02d}")] for n in range(FEEDBACK_LIMIT + 5)]
    flow = started(agent("build"), parallel("fan", *branches, on={"ok": "build"}))
    flow.ok("build")
    for n in range(FEEDBACK_LIMIT + 5):
        flow.ok(f"b{n:02d}")
    rounds = feedback(flow.now, flow.outputs, "build")
    assert len(rounds) == FEEDBACK_LIMIT
    assert [round_["stage"] for round_ in rounds[-2:]] == ["b36", "fan"]


BIG = dumps({"n": 5})
REFERENCE = {"$blob": {"hash": hashlib.sha256(BIG).hexdigest(), "bytes": len(BIG)}}


def test_a_big_output_is_handed_on_as_a_reference() -> None:
    flow = started(agent("a"), agent("b"))
    flow.ok("a", REFERENCE)
    assert body(flow, "b")["input"] == REFERENCE


def test_a_template_that_looks_into_a_big_output_asks_for_it() -> None:
    flow = started(agent("a"), agent("b", **{"with": {"n": {"from": "stages.a.output.n"}}}))
    flow.ok("a", REFERENCE)
    with pytest.raises(OutputMissing) as missing:
        body(flow, "b")
    flow.outputs.supply(missing.value.blob, BIG)
    assert body(flow, "b")["input"] == {"n": 5}

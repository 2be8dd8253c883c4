from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.domain import events
from stagewright.domain.events import StepRecord, encode_step
from stagewright.domain.public_events import STATUSES, events_of, note_of
from stagewright.domain.workflow import BranchEnd

ID = "p00-1"


def told(*found: events.Event) -> list[dict[str, Any]]:
    step = StepRecord(n=3, id="ab" * 8, at_ms=7, cause="command start", events=found)
    return events_of(ID, orjson.loads(encode_step(step)))


def test_each_event_of_a_step_says_where_it_stands() -> None:
    one, two = told(
        events.WorkflowPaused(by="ann", reason="lunch"), events.WorkflowResumed(by="bob")
    )
    assert one == {
        "kind": "WORKFLOW_PAUSED",
        "workflow_id": ID,
        "step": 3,
        "part": 1,
        "at_ms": 7,
        "by": "ann",
        "reason": "lunch",
        "status": "paused",
    }
    assert (two["kind"], two["part"], two["status"]) == ("WORKFLOW_RESUMED", 2, "running")


def test_a_start_names_the_definition_and_keeps_hashes_to_itself() -> None:
    (created,) = told(
        events.WorkflowCreated(
            definition="ff" * 32, name="job", version="1.0.0", priority=2, body_hash="secret"
        )
    )
    assert created["definition"] == "job"
    assert created["progress"] == 0
    assert "body_hash" not in created


def test_an_instant_that_is_waited_for_is_not_taken_for_when_it_happened() -> None:
    (wait,) = told(events.WaitStarted("", "pause", 1, "", at_ms=99))
    assert (wait["at_ms"], wait["until_ms"]) == (7, 99)


def test_a_signal_and_the_end_of_a_branch_say_which() -> None:
    signal, branch = told(
        events.SignalReceived("paid", "key"), events.BranchEnded("g", "left", BranchEnd("ok", None))
    )
    assert signal["signal"] == "paid"
    assert (branch["branch"], branch["outcome"]) == ("left", "ok")


@pytest.mark.parametrize("kind", sorted(STATUSES))
def test_every_status_is_told_by_a_kind_that_exists(kind: str) -> None:
    kinds = {one.type for one in events.Event.__args__}
    assert kind in kinds


def test_a_note_is_an_event_in_the_past_tense() -> None:
    told_ = note_of(ID, {"kind": "tool_call", "stage": "a", "at_ms": 5, "workflow_id": "other"})
    assert told_ == {"kind": "TOOL_CALLED", "stage": "a", "at_ms": 5, "workflow_id": ID}
    assert note_of(ID, {"kind": "whatever"})["kind"] == "AGENT_NOTED"

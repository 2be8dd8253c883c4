"""Facts and the steps that hold them, as logged."""

from __future__ import annotations

from typing import Any, get_args

import orjson
import pytest

from stagewright.domain import events as ev
from stagewright.domain.events import Event, StepRecord, decode_step, encode_step
from stagewright.domain.records import Unreadable
from stagewright.domain.workflow import Answer, BranchEnd, Parked, StageRecord

SAMPLES: list[Event] = [
    ev.WorkflowCreated("0" * 64, "job", "1.0.0", 2, "b", carried={"a": StageRecord(visit=1)}),
    ev.TaskAssigned("", "a", 1, 1, "input", "a@1.0", 2, 60.0, repair=({"type": "x"},)),
    ev.StageComplete("", "a", 1, "ok", "b", 1, "a/1", usage={"cost_usd": 0.5}),
    ev.EntryRefused("a", 3, "b/2"),
    ev.TaskFailed("a", 1, 1, ({"type": "x", "message": "y"},), 5),
    ev.ValidationFailed("a", 1, 1, ({"type": "x", "message": "y"},)),
    ev.StageHeld("", "a", 1, "failed", "broke"),
    ev.GroupStarted("", "g", 1, "input", ("a", "b")),
    ev.BranchEnded("g", "a", BranchEnd("ok", "a/1")),
    ev.BranchesCancelled("g", ("b",), ("b1", "b2")),
    ev.ApprovalRequested("", "s", 1, "a/1", "s/1/shown", "0" * 64, ("ann",), 1, 7),
    ev.ApprovalVoted("s", 1, "approved", "ann", data={"n": [1]}),
    ev.WaitStarted("", "w", 1, "a/1", signal="s"),
    ev.SignalReceived("s", "signal/1", kept=True),
    ev.SignalTaken("s", "signal/1"),
    ev.MessageParked(Parked("timer", "timer/w/1", {"due_at_ms": 1})),
    ev.WorkflowPaused("ann", "lunch"),
    ev.WorkflowResumed("ann"),
    ev.WorkflowCompleted("a/1"),
    ev.WorkflowFailed("broke", "a", ({"type": "x"},)),
    ev.WorkflowCancelled("ann"),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.type)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    step = StepRecord(3, "id", 5, "command Start", (event,), Answer("c1", ok=True))
    body = encode_step(step)
    assert decode_step(body) == step
    assert encode_step(decode_step(body)) == body


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(sample) for sample in SAMPLES} == set(get_args(Event))


def test_names_of_events_are_in_the_past_tense_and_unique() -> None:
    names = [kind.type for kind in get_args(Event)]
    assert names == [kind.__struct_config__.tag for kind in get_args(Event)]
    assert len(set(names)) == len(names)
    assert all(name == name.upper() for name in names)


def test_a_logged_step_says_its_number_instant_and_cause() -> None:
    step = StepRecord(1, "id", 5, "timer deadline", (ev.WorkflowResumed("ann"),))
    assert orjson.loads(encode_step(step)) == {
        "n": 1,
        "id": "id",
        "at_ms": 5,
        "cause": "timer deadline",
        "events": [{"type": "WORKFLOW_RESUMED", "by": "ann"}],
    }


@pytest.mark.parametrize("change", [{"type": "NEVER_HEARD"}, {"colour": "red"}])
def test_an_event_that_is_not_known_is_an_error(change: dict[str, Any]) -> None:
    body = {
        "n": 1,
        "id": "i",
        "at_ms": 5,
        "cause": "",
        "events": [{"type": "WORKFLOW_RESUMED", "by": "a"} | change],
    }
    with pytest.raises(Unreadable):
        decode_step(orjson.dumps(body))

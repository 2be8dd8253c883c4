"""A log as lines."""

from __future__ import annotations

from stagewright.entrypoints.web.history import lines_of

STEP = {
    "n": 4,
    "at_ms": 20,
    "events": [
        {"type": "STAGE_COMPLETE", "stage": "a", "visit": 2, "outcome": "invalid", "to": "fail",
         "errors": [{"message": "no", "path": "x"}]},
        {"type": "SOMETHING_NEW"},
    ],
}  # fmt: skip
NOTE = {
    "kind": "log",
    "at_ms": 10,
    "stage": "a",
    "level": "error",
    "message": "hm",
    "fields": {"n": 1},
}
CALL = {"kind": "tool_call", "at_ms": 15, "stage": "a", "name": "find", "arguments": {"q": "x"}}


def test_steps_and_notes_stand_in_the_order_of_time() -> None:
    lines = lines_of([STEP], [CALL, NOTE])
    assert [(line.at_ms, line.title) for line in lines] == [
        (10, "error"),
        (15, "Tool call"),
        (20, "Stage complete"),
        (20, "Something new"),
    ]


def test_a_line_says_what_happened_and_where() -> None:
    line = lines_of([STEP])[0]
    assert (line.detail, line.tone, line.attempt) == ("invalid → fail · x: no", "bad", "round 2")


def test_notes_show_their_fields() -> None:
    assert [line.detail for line in lines_of([], [NOTE, CALL])] == [
        "hm  n=1",
        'find {"q":"x"}',
    ]


def test_a_long_text_is_cut_and_says_so() -> None:
    long = {"kind": "log", "message": "x" * 5_000}
    assert lines_of([], [long])[0].detail.endswith("… (5000 characters)")

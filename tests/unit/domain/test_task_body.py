from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.domain.envelope import BlobRef
from stagewright.domain.records import Raw
from stagewright.domain.task_body import (
    TaskBody,
    TaskBodyInvalid,
    TaskContract,
    encode_task_body,
    parse_task_body,
)

CONTRACT = {"agent": "scaffold", "version": "1.0.0", "hash": "ab"}
ROUND = {"stage": "validation", "visit": 1, "outcome": "rework", "errors": [], "output": {"n": 1}}


def body(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "input_": {"name": "hello"},
        "feedback": [],
        "contract": CONTRACT,
        "definition": "delivery@1.0.0",
    }
    return encode_task_body(**(fields | changes))


def test_a_task_comes_out_as_it_went_in() -> None:
    repair = [{"type": "contract_violation", "message": "m", "path": "a"}]
    written = body(feedback=[ROUND], repair=repair, traceparent="00-a-b-01")
    assert parse_task_body(written) == TaskBody(
        input=Raw(b'{"name":"hello"}'),
        feedback=(ROUND,),
        contract=TaskContract(**CONTRACT),
        definition="delivery@1.0.0",
        traceparent="00-a-b-01",
        repair=tuple(repair),
    )


def test_a_first_attempt_carries_no_repair() -> None:
    assert "repair" not in orjson.loads(body())
    assert parse_task_body(body()).repair == ()


def test_an_input_already_written_is_taken_over() -> None:
    assert parse_task_body(body(input_=orjson.Fragment(b'{"a":1}'))).input == Raw(b'{"a":1}')


def test_a_big_input_is_a_reference() -> None:
    blob = BlobRef("ab" * 32, 70_000)
    assert parse_task_body(body(input_=blob)).blob == blob


def test_an_input_that_speaks_of_references_is_none() -> None:
    assert parse_task_body(body(input_={"about": '"$blob"'})).blob is None


def test_an_input_of_null_is_an_input() -> None:
    assert parse_task_body(body(input_=None)).input == Raw(b"null")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"input_": {"$blob": 1}}, "input"),
        ({"feedback": "much"}, "feedback"),
        ({"feedback": [1]}, "feedback"),
        ({"contract": {"agent": "a"}}, "contract"),
        ({"contract": "a"}, "contract"),
        ({"definition": 5}, "definition"),
        ({"traceparent": 5}, "traceparent"),
        ({"repair": {"a": 1}}, "repair"),
    ],
    ids=repr,
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(TaskBodyInvalid) as caught:
        parse_task_body(body(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize("broken", [b"", b"[]", b"{}", b'{"feedback":[]}'])
def test_what_is_no_task_is_refused(broken: bytes) -> None:
    with pytest.raises(TaskBodyInvalid, match="same release"):
        parse_task_body(broken)

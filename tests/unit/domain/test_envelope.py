from __future__ import annotations

import copy
import re
import tracemalloc
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.domain.bounded_json import MAX_BODY_BYTES, canonical
from stagewright.domain.envelope import (
    STAGE_RESULT,
    BlobRef,
    EnvelopeRejected,
    StageResult,
    encode_result,
    parse_envelope,
    rfc3339,
)
from stagewright.domain.errors import StagewrightError
from stagewright.domain.ids import TaskId

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "envelopes.md"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TASK = TaskId("p07-" + "a1" * 16, "scaffold", 1, 2)


def result(**changes: Any) -> StageResult:
    fields: dict[str, Any] = {
        "envelope_id": "0" * 32,
        "source": "agent/scaffold@1.0.0",
        "time": rfc3339(1_780_000_000_123),
        "task": TASK,
        "token": 77,
        "status": "success",
        "value": {"n": 1},
    }
    return StageResult(**(fields | changes))


def envelope(path: str = "", value: Any = None) -> bytes:
    """An envelope with one field replaced (dotted path), or removed when the value is `...`."""
    body = orjson.loads(encode_result(result(causation="c", traceparent=TRACE)))
    holder, keys = body, path.split(".")
    for key in keys[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[keys[-1]]
    elif path:
        holder[keys[-1]] = value
    return canonical(body)


def rejection(body: bytes, **options: int) -> EnvelopeRejected:
    with pytest.raises(EnvelopeRejected) as caught:
        parse_envelope(body, **options)
    return caught.value


def schema_of_the_reference() -> jsonschema_rs.Draft202012Validator:
    text = REFERENCE.read_text()
    block = re.search(r"```json schema\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return jsonschema_rs.Draft202012Validator(orjson.loads(block.group(1)))


SCHEMA = schema_of_the_reference()

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
problems = st.fixed_dictionaries({"type": texts.filter(bool), "message": texts, "path": texts})
usages = st.dictionaries(texts, st.integers(0, 2**60) | st.floats(0, 1e9), max_size=4)
common = {
    "envelope_id": texts.filter(bool),
    "source": texts.filter(bool),
    "token": st.integers(1, 2**53 - 1),
    "task": st.builds(
        TaskId,
        st.from_regex(r"\Ap[0-9]{2}-[0-9a-f]{32}\Z"),
        st.from_regex(r"\A[a-z][a-z0-9_-]{0,62}\Z"),
        st.integers(1, 10_000),
        st.integers(1, 10_000),
    ),
    "usage": usages,
    "causation": st.none() | texts,
    "traceparent": st.none() | st.just(TRACE),
}
successes = st.fixed_dictionaries(
    common
    | {
        "outcome": st.none() | st.from_regex(r"\A[a-z][a-z0-9_]{0,62}\Z"),
        "value": values.filter(lambda value: not (isinstance(value, dict) and "$blob" in value)),
    }
)
failures = st.fixed_dictionaries(
    common
    | {
        "status": st.just("failure"),
        "value": st.none(),
        "errors": st.lists(problems, min_size=1, max_size=3).map(tuple),
    }
)


@given(successes | failures)
def test_a_result_comes_out_as_it_went_in(changes: dict[str, Any]) -> None:
    written = result(**changes)
    body = encode_result(written)
    assert parse_envelope(body) == written
    SCHEMA.validate(orjson.loads(body))


def test_an_envelope_is_a_cloud_event_in_canonical_json() -> None:
    body = encode_result(result())
    event = orjson.loads(body)
    assert orjson.dumps(event, option=orjson.OPT_SORT_KEYS) == body
    assert event["specversion"] == "1.0"
    assert event["type"] == STAGE_RESULT
    assert event["subject"] == TASK.workflow_id
    assert event["task"] == str(TASK)
    assert event["partitionkey"] == "p07"
    assert event["time"] == "2026-05-28T20:26:40.123Z"
    assert "traceparent" not in event


def test_another_spelling_of_the_same_json_means_the_same() -> None:
    pretty = orjson.dumps(orjson.loads(envelope()), option=orjson.OPT_INDENT_2)
    assert parse_envelope(pretty) == parse_envelope(envelope())


def test_the_example_of_the_reference_is_accepted() -> None:
    block = re.search(r"```json\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    assert block is not None
    assert parse_envelope(block.group(1).encode()).task.stage == "scaffolding"


def test_an_output_that_was_big_is_a_reference() -> None:
    blob = BlobRef("ab" * 32, 70_000)
    parsed = parse_envelope(encode_result(result(value=None, blob=blob)))
    assert (parsed.blob, parsed.value) == (blob, None)
    assert parsed.output == canonical({"$blob": {"hash": "ab" * 32, "bytes": 70_000}})


def test_an_output_is_canonical_json_whatever_its_spelling_was() -> None:
    body = envelope("data.output", {"b": 1, "a": [1.0, None]})
    spaced = body.replace(b'"output":{', b'"output": {  ')
    assert parse_envelope(spaced).output == b'{"a":[1.0,null],"b":1}'


WRONG = [
    ("specversion", "0.3"), ("specversion", ...), ("specversion", 1),
    ("type", "stagewright.OTHER"), ("type", ...), ("type", ["stagewright.STAGE_RESULT"]),
    ("id", ...), ("id", ""), ("id", 7), ("id", "x" * 257),
    ("source", ...), ("source", ""), ("source", {}), ("source", "x" * 257),
    ("time", ...), ("time", "yesterday"), ("time", 1_780_000_000), ("time", "2026-13-01T00:00:00Z"),
    ("time", "2026-01-01T00:00:00"),
    ("datacontenttype", "text/xml"), ("dataschema", "urn:other"), ("dataschema", None),
    ("partitionkey", "p08"), ("partitionkey", 7), ("partitionkey", None),
    ("subject", ...), ("subject", "p07-other"), ("subject", None),
    ("stage", ...), ("stage", "other"), ("stage", 3),
    ("task", ...), ("task", "nonsense"), ("task", "p07-a1/scaffold/0/1"), ("task", 5),
    ("task", "p07-a1/Scaffold/1/1"), ("task", "p07-a1/scaffold/1/1\n"),
    ("task", "p07-a1/scaffold/\u0661/1"),
    ("attempt", ...), ("attempt", 3), ("attempt", "2"), ("attempt", 2.0), ("attempt", True),
    ("leasetoken", ...), ("leasetoken", 0), ("leasetoken", "77"), ("leasetoken", True),
    ("leasetoken", 7.5), ("leasetoken", None), ("leasetoken", 2**53), ("leasetoken", 2**64 - 1),
    ("causationid", 5), ("causationid", "x" * 257),
    ("traceparent", "nonsense"), ("traceparent", 5), ("traceparent", TRACE.upper()),
    ("data", ...), ("data", []), ("data", None), ("data", "text"),
    ("data.workflow_id", ...), ("data.workflow_id", "p07-other"),
    ("data.stage", ...), ("data.stage", "other"),
    ("data.status", ...), ("data.status", "done"), ("data.status", None), ("data.status", []),
    ("data.outcome", 5), ("data.outcome", "Not A Label"), ("data.outcome", ""),
    ("data.outcome", {}),
    ("data.output", {"$blob": 5}), ("data.output", {"$blob": {"hash": "ab" * 32}}),
    ("data.output", {"$blob": {"hash": "ab" * 32, "bytes": 1}, "more": 1}),
    ("data.output", {"$blob": {"hash": "short", "bytes": 1}}),
    ("data.output", {"$blob": {"hash": "ab" * 32, "bytes": -1}}),
    ("data.output", {"$blob": {"hash": "ab" * 32, "bytes": True}}),
    ("data.errors", {}), ("data.errors", "none"), ("data.errors", 0), ("data.errors", [5]),
    ("data.errors", [{"message": "m"}]), ("data.errors", [{"type": "", "message": "m"}]),
    ("data.errors", [{"type": "T"}]), ("data.errors", [{"type": "T", "message": None}]),
    ("data.errors", [{"type": "T", "message": "m"}] * 101),
    ("data.usage", []), ("data.usage", 5), ("data.usage", {"cost_usd": "1"}),
    ("data.usage", {"cost_usd": -1}), ("data.usage", {"cost_usd": True}),
    ("data.usage", {str(n): n for n in range(33)}), ("data.usage", {"x" * 257: 1}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG, ids=repr)
def test_a_wrong_field_is_rejected_by_name(field: str, value: Any) -> None:
    rejected = rejection(envelope(field, value))
    assert rejected.field.startswith(field)
    assert "expected" in rejected.reason
    assert rejected.field in str(rejected)
    assert len(str(rejected)) < 500


ONLY_COMPARED = {"subject", "stage", "attempt", "partitionkey", "data.workflow_id", "data.stage"}


@pytest.mark.parametrize(("field", "value"), WRONG, ids=repr)
def test_the_schema_of_the_reference_rejects_the_same(field: str, value: Any) -> None:
    accepted = SCHEMA.is_valid(orjson.loads(envelope(field, value)))
    if field in ONLY_COMPARED and type(value) in {str, int, float}:
        return  # a value of the right shape that contradicts the task: beyond the schema
    if field in {"attempt", "leasetoken"} and type(value) is float:
        return  # to JSON Schema 2.0 is an integer
    assert not accepted or field == "task"


DATA = {"workflow_id": TASK.workflow_id, "stage": "scaffold", "status": "success"}
FAILURE = DATA | {"status": "failure", "errors": [{"type": "T", "message": "m"}]}


@pytest.mark.parametrize("change", [{"errors": []}, {"output": 1}, {"outcome": "ok"}], ids=repr)
def test_a_failure_has_errors_and_neither_output_nor_outcome(change: dict[str, Any]) -> None:
    assert parse_envelope(envelope("data", FAILURE)).status == "failure"
    body = envelope("data", FAILURE | change)
    assert rejection(body).field == f"data.{next(iter(change))}"
    assert not SCHEMA.is_valid(orjson.loads(body))


def test_optional_fields_may_be_absent_or_null() -> None:
    for field in ("dataschema", "datacontenttype", "partitionkey", "causationid", "traceparent"):
        assert parse_envelope(envelope(field, ...)).task == TASK
    for field in ("data.outcome", "data.output", "data.errors", "data.usage"):
        assert parse_envelope(envelope(field, ...)) == parse_envelope(envelope(field, None))


def test_unknown_attributes_are_left_alone() -> None:
    assert parse_envelope(envelope("priority", "high")).task == TASK


HOSTILE = {
    "nothing": b"",
    "no JSON": b"hello",
    "no object": b"[1]",
    "a number": b"12",
    "half": envelope()[:-5],
    "twice": envelope() + envelope(),
    "broken UTF-8": envelope().replace(b"agent/", b"agent\xff"),
    "byte order mark": b"\xef\xbb\xbf" + envelope(),
    "a lone surrogate": envelope().replace(b"agent/", rb"\ud800"),
    "NaN": envelope().replace(b'"n":1', b'"n":NaN'),
    "Infinity": envelope().replace(b'"n":1', b'"n":-Infinity'),
    "an infinite number": envelope().replace(b'"n":1', b'"n":1e999'),
    "a huge integer": envelope().replace(b'"n":1', b'"n":18446744073709551616'),
    "a very small integer": envelope().replace(b'"n":1', b'"n":-9223372036854775809'),
    "an endless integer": envelope().replace(b'"n":1', b'"n":' + b"9" * 300),
    "a key twice": envelope().replace(b'"n":1', b'"n":1,"n":2'),
    "a key twice in disguise": envelope().replace(b'"n":1', b'"n":1,"\\u006e":2'),
    "an attribute twice": envelope().replace(b'"id":', b'"id":"x","id":'),
    "depth 65": envelope().replace(b'"n":1', b'"n":' + b"[" * 65 + b"]" * 65),
    "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
    "depth without an end": b'{"a":' * 10_000,
    "quotes": b'"' * 100_000,
    "escapes": b'"' + b'\\"' * 100_000,
    "10 MB": envelope("data.output", "x" * 10_000_000),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_rejected(body: bytes) -> None:
    assert rejection(body).field == "body"


def test_deep_text_is_not_depth() -> None:
    body = envelope("data.output", "[{" * 500)
    assert parse_envelope(body).value == "[{" * 500


def test_many_shallow_brackets_are_not_depth() -> None:
    assert parse_envelope(envelope("data.output", [[]] * 500)).value == [[]] * 500


def test_an_output_as_deep_as_can_be_received_can_be_read() -> None:
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    body = orjson.dumps(orjson.loads(envelope()) | {"data": {**DATA, "output": deep}})
    assert orjson.loads(parse_envelope(body).output) == deep


def test_the_limit_of_size_can_be_lowered() -> None:
    body = envelope()
    assert parse_envelope(body, max_bytes=len(body)).task == TASK
    assert str(len(body) - 1) in rejection(body, max_bytes=len(body) - 1).reason


def test_rejecting_a_giant_allocates_nothing_of_its_size() -> None:
    giant = b'{"a":"' + b"x" * 10_000_000 + b'"}'
    tracemalloc.start()
    rejection(giant)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < MAX_BODY_BYTES


def test_a_rejection_is_one_of_our_errors_and_never_shows_a_payload() -> None:
    rejected = rejection(envelope("data.outcome", {"secret": "hunter2"}))
    assert isinstance(rejected, StagewrightError)
    assert "hunter2" not in str(rejected)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(body: bytes) -> None:
    rejection(body)


@given(values)
def test_no_json_value_crashes_the_parser(value: Any) -> None:
    rejection(canonical(value))


@given(st.sampled_from([path for path, _ in WRONG]), values)
def test_no_value_in_any_field_crashes_the_parser(path: str, value: Any) -> None:
    body = envelope(path, copy.deepcopy(value))
    try:
        parsed = parse_envelope(body)
    except EnvelopeRejected as rejected:
        assert rejected.field  # noqa: PT017  # either way out is right, no other is
    else:
        assert parsed.task == TASK
        SCHEMA.validate(orjson.loads(body))


@given(st.data())
def test_no_flipped_byte_crashes_the_parser(data: st.DataObject) -> None:
    body = bytearray(envelope())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_envelope(bytes(body))
    except EnvelopeRejected as rejected:
        assert rejected.field  # noqa: PT017  # either way out is right, no other is

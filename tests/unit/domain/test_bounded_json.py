from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.domain.bounded_json import JsonRejected, canonical, parse
from stagewright.domain.errors import LimitExceeded, ValidationFailed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)  # fmt: skip


@given(values)
def test_canonical_json_reads_back_as_it_was(value: Any) -> None:
    assert parse(canonical(value)) == value


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_any_spelling_is_understood(value: Any, indent: int | None, ascii_only: bool) -> None:
    spelled = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert canonical(parse(spelled)) == canonical(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), [1, {"a": (float("-inf"),)}], 2**64, -(2**63) - 1, "\ud800",
     {1: 2}, {"a": Path("x")}, {1, 2}, b"bytes"],
    ids=repr,
)  # fmt: skip
def test_what_json_cannot_say_is_not_written(value: Any) -> None:
    with pytest.raises(JsonRejected):
        canonical(value)


def test_null_may_stand_beside_numbers() -> None:
    assert canonical({"b": [None, 1.5], "a": "null"}) == b'{"a":"null","b":[null,1.5]}'


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded_both_ways(opening: str) -> None:
    deep: Any = None
    for _ in range(61):
        deep = [deep] if opening == "[" else {"a": deep}
    with pytest.raises(LimitExceeded):
        canonical(deep)
    with pytest.raises(LimitExceeded):
        parse(opening.encode() * 65)


def test_brackets_inside_of_text_are_no_depth() -> None:
    tricky = {"a": '[[[[{{{{"\\' * 30, '\\"[': ["{"] * 70}
    assert parse(canonical(tricky)) == tricky


def test_depth_beside_text_is_still_seen() -> None:
    with pytest.raises(LimitExceeded):
        parse(b'["\\"[",' * 65)


@pytest.mark.parametrize("depth", [64, 65])
@pytest.mark.parametrize("around", ["%s", "[1,%s,{}]", "[[],[[]],%s]"])
def test_depth_is_counted_exactly(depth: int, around: str) -> None:
    inner = depth - around.count("%s") * (around != "%s")
    body = (around % ("[" * inner + "]" * inner)).encode()
    if depth == 64:
        parse(body)
        return
    with pytest.raises(LimitExceeded, match="The nesting of the body is 65, the limit is 64"):
        parse(body)


@pytest.mark.parametrize("piece", [b"[[]],", b'{"a":1},', b'"\\u0041",', b'"a","",'])
def test_the_densest_body_takes_no_long_time(piece: bytes) -> None:
    body = b"[" + piece * (250_000 // len(piece)) + b"0]"
    before_s = time.thread_time()
    parse(body)
    assert time.thread_time() - before_s < 0.3  # a scan bracket by bracket takes this and more


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'[{"a":{"b":1,"b":2}}]'])
def test_a_key_twice_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(JsonRejected, match=r"'[ab]' stands twice"):
        parse(body)


def test_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValidationFailed, match="11, the limit is 10"):
        parse(b"not json at", max_bytes=10)

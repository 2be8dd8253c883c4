from __future__ import annotations

import gc
import json
import time
from contextlib import suppress
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


def time_of(body: bytes) -> float:
    """Return the processor's time that it takes to read or refuse a body, at best, in seconds."""
    times = []
    gc.disable()  # what this process holds is not what is measured
    for _ in range(3):
        before_s = time.thread_time()
        with suppress(ValidationFailed):
            parse(body)
        times.append(time.thread_time() - before_s)
    gc.enable()
    return min(times)


FLAT = b"[" + b"0, " * 83_000 + b"0]"
HIDDEN = b"[" + b'{"b":0,"a":":"},' * 16_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 125_000 + b"]" * 125_000,
        b"[" + (b"[" * 60 + b"]" * 60 + b",") * 2_000 + b"0]",
        HIDDEN + b'{"a":0,"a":0}]',
        HIDDEN + b"99999999999999999999]",
        b'["' + b"9" * 250_000 + b'", 0]',
        b"[" + b'"\\u0041",' * 27_000 + b"0]",
    ],
    ids=["deep", "deep again and again", "a key twice", "a number", "digits", "escapes"],
)
def test_the_densest_bodies_take_a_few_times_as_long_as_a_flat_one(body: bytes) -> None:
    assert time_of(body) < 40 * time_of(FLAT)  # what grew with the square took thousands


@st.composite
def tricky_objects(draw: st.DrawFn) -> bytes:
    """Objects spelled so that counting is led astray."""
    words = st.sampled_from(
        ["", ":", "a", '\\"', '\\":', "[", ",:", "\\u003a", "\\\\", "9" * 19, " :"]
    )
    numbers = st.sampled_from(
        ["0", "9" * 20, "-" + "9" * 19, str(2**64), str(2**64 - 1), "0." + "1" * 25,
         "1e" + "0" * 20 + "1", "9" * 20 + ".5", "-" + "9" * 20 + "e-1", str(-(2**63))]
    )  # fmt: skip
    space = draw(st.sampled_from(["", " "]))
    pairs = []
    for _ in range(draw(st.integers(0, 4))):
        value = f'"{draw(words)}"' if draw(st.booleans()) else draw(numbers)
        value = f"[{value}]" if draw(st.booleans()) else value
        pairs.append(f'"{draw(words)}"{space}:{value}')
    return ("{" + f",{space}".join(pairs) + "}").encode()


@given(tricky_objects())
def test_what_is_refused_is_what_an_exact_parser_refuses(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        assert len(dict(pairs)) == len(pairs)

    def fits(digits: str) -> None:
        assert int(digits) in range(-(2**63), 2**64)

    try:
        json.loads(body, object_pairs_hook=unique, parse_int=fits)
    except AssertionError:
        with pytest.raises(JsonRejected):
            parse(body)
    else:
        assert parse(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'[{"a":{"b":1,"b":2}}]',
        b'{"a":1,"a":"\\u003a"}',  # as many colons come out as went in
        b'{"a":1,"a":"\\u003a\\""}',
        b'{"a":1,"a":["\\u003a"]}',
        b'{"a":1,"a":{"\\u003a":0}}',
        b'{"a":1,"a":["",":"], "c":0}',
    ],
)
def test_a_key_twice_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(JsonRejected, match=r"'[ab]' stands twice"):
        parse(body)


def test_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValidationFailed, match="11, the limit is 10"):
        parse(b"not json at", max_bytes=10)

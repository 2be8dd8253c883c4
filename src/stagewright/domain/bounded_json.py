"""JSON from strangers, bounded before it is parsed; and the one canonical spelling we write.

Canonical JSON here is UTF-8 without spaces, keys sorted by code point, each key once. Whatever a
peer of ours wrote is in this form already, which makes the proof that a body hides no duplicate
key a comparison of bytes instead of a second, slower parse.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from itertools import accumulate
from typing import Any

import orjson

from stagewright.domain.errors import LimitExceeded, ValidationFailed

MAX_DEPTH = 64
"""Arrays and objects within one another in a body."""
MAX_PAYLOAD_DEPTH = 60
"""The same in an input or output, which travels inside of a body."""
MAX_BODY_BYTES = 256 * 1024
"""An envelope, task body or line of protocol."""
MAX_INLINE_BYTES = 64 * 1024
"""A payload above this travels as a reference to a blob."""

_INT_DIGITS = 20
_INT_RANGE = range(-(2**63), 2**64)
# Every alternative can end at the end of the text, so an unterminated string costs one pass only.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.?+)*+"?+', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![.eE])")
_OPENED_BY_A_COLON = (b'[":', b'{":', b',":', b':":')
"""A quote before a colon ends a key, but for the first one of a text that begins with a colon."""
_STEPS = bytes.maketrans(b"{}[]", b"\x01\xff\x01\xff")
"""One level down or up, as signed bytes."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class JsonRejected(ValidationFailed):
    """The body is not JSON that we accept."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Not acceptable JSON: {reason}")


def canonical(value: Any, max_depth: int = MAX_PAYLOAD_DEPTH) -> bytes:
    """Return the canonical JSON of a JSON value; JsonRejected when it cannot be written exactly.

    Takes dicts with text keys, lists, tuples, text without lone surrogates, finite numbers,
    integers within 64 bit, booleans and None. LimitExceeded when nested above `max_depth`.
    """
    try:
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:  # TypeError is what orjson raises
        raise JsonRejected(str(error)) from None
    if b"null" in body:  # the encoder writes NaN and Infinity as null
        _refuse_unwritable(value)
    bound_depth(body, max_depth)
    return body


def parse(body: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in `body`, or raise JsonRejected (LimitExceeded for size and depth).

    Refused: a body above `max_bytes`, nesting above `max_depth`, broken UTF-8, lone surrogates,
    NaN, infinities, integers beyond 64 bit and objects with a key twice. Size and depth are
    checked before anything is built.
    """
    if len(body) > max_bytes:
        raise LimitExceeded("The size of the body in bytes", found=len(body), limit=max_bytes)
    outside = _outside(body) if _brackets(body) > max_depth else None
    if outside is not None:
        _bound_nesting(outside, max_depth)
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise JsonRejected(str(error)) from None
    again = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    long = _LONG_NUMBER.search(body) is not None
    if again != body and (long or _fewest_keys(again) != body.count(b":")):
        _check_exactly(body, outside or _outside(body), again)
    return value


def bound_depth(body: bytes, limit: int) -> None:
    """Raise LimitExceeded when brackets outside of text are nested deeper than `limit`."""
    if _brackets(body) > limit:
        _bound_nesting(_outside(body), limit)


def _fewest_keys(again: bytes) -> int:
    """Return how many keys canonical JSON has at least: all, unless some text has odd marks."""
    if b'\\"' in again:
        return -1
    return again.count(b'":') - sum(map(again.count, _OPENED_BY_A_COLON))


def _check_exactly(body: bytes, outside: bytes, again: bytes) -> None:
    """Refuse what the parser lets pass: integers that it rounds, and keys twice.

    Each key has its colon, so fewer come out than went in when one stood twice.
    """
    for found in _LONG_INTEGER.finditer(outside):
        digits = found[0].decode()
        if len(digits) > _INT_DIGITS or int(digits) not in _INT_RANGE:
            raise JsonRejected(f"the integer {digits[:24]} does not fit into 64 bit")
    if outside.count(b":") != _outside(again).count(b":"):
        json.loads(body, object_pairs_hook=_unique)


def _outside(body: bytes) -> bytes:
    """Return what stands outside of text."""
    return _STRINGS.sub(b"", body)


def _brackets(body: bytes) -> int:
    """Return how many open: the body is nested no deeper."""
    return body.count(b"{") + body.count(b"[")


def _bound_nesting(outside: bytes, limit: int) -> None:
    """Raise LimitExceeded when brackets are nested deeper than `limit`.

    They are added up: it takes the same time however they are nested.
    """
    steps = array("b", outside.translate(_STEPS, _NO_BRACKETS))
    if max(accumulate(steps), default=0) > limit:
        raise LimitExceeded("The nesting of the body", found=limit + 1, limit=limit)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonRejected(f"the key {key[:80]!r} stands twice in one object")
        seen.add(key)


def _refuse_unwritable(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise JsonRejected(f"{value} cannot be written as JSON")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        _refuse_unwritable(item)

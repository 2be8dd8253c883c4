"""JSON from strangers, bounded before it is parsed; and the one canonical spelling we write.

Canonical JSON here is UTF-8 without spaces, keys sorted by code point, each key once. Whatever a
peer of ours wrote is in this form already, which makes the proof that a body hides no duplicate
key a comparison of bytes instead of a second, slower parse.
"""

from __future__ import annotations

import json
import math
import re
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
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
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
    _bound_depth(body, max_depth)
    return body


def parse(body: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in `body`, or raise JsonRejected (LimitExceeded for size and depth).

    Refused: a body above `max_bytes`, nesting above `max_depth`, broken UTF-8, lone surrogates,
    NaN, infinities, integers beyond 64 bit and objects with a key twice. Size and depth are
    checked before anything is built.
    """
    if len(body) > max_bytes:
        raise LimitExceeded("The size of the body in bytes", found=len(body), limit=max_bytes)
    _bound_depth(body, max_depth)
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise JsonRejected(str(error)) from None
    again = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if again != body and _doubtful(body, again):
        _check_exactly(body)
    return value


def _doubtful(body: bytes, again: bytes) -> bool:
    """Whether fewer keys came out than went in, or a number is long enough to be too large."""
    outside = _STRINGS.sub(b"", body)
    keys = _STRINGS.sub(b"", again).count(b":")
    return outside.count(b":") != keys or _LONG_NUMBER.search(outside) is not None


def _bound_depth(body: bytes, limit: int) -> None:
    """Raise LimitExceeded when brackets outside of text are nested deeper than `limit`.

    Pairs with nothing inside are taken away until none is left: as many rounds as the nesting is
    deep, each at the speed of `replace`, however many brackets a stranger packs into a body.
    """
    if body.count(b"{") + body.count(b"[") <= limit:
        return  # too few brackets to be too deep: the usual case
    left = _STRINGS.sub(b"", body).translate(_ONE_KIND, _NO_BRACKETS)
    depth = 0
    while depth < limit and b"[]" in left:
        left = left.replace(b"[]", b"")
        depth += 1
    if b"[]" in left or depth + left.count(b"[") > limit:  # those never closed hold all others
        raise LimitExceeded("The nesting of the body", found=limit + 1, limit=limit)


def _check_exactly(body: bytes) -> None:
    """Parse again, slowly, for what the fast parser lets pass: keys twice, and huge integers."""
    json.loads(body, object_pairs_hook=_unique, parse_int=_bounded_int)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise JsonRejected(f"the key {key[:80]!r} stands twice in one object")
        seen.add(key)


def _bounded_int(digits: str) -> None:
    if len(digits) > _INT_DIGITS or int(digits) not in _INT_RANGE:
        raise JsonRejected(f"the integer {digits[:24]} does not fit into 64 bit")


def _refuse_unwritable(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise JsonRejected(f"{value} cannot be written as JSON")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        _refuse_unwritable(item)

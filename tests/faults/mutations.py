"""Envelopes that are wrong in one way or several, made from right ones. A seed repeats them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63), 0.5, 1e308,
    -0.0, "", " ", "null", "\x00", "\u2028", "ü" * 300, "x" * 5_000, "p00-" + "0" * 32, "../../etc",
    "$blob", [], [[]], {}, {"": None}, {"$blob": 1}, {"$blob": {"hash": "0" * 64, "bytes": -1}},
    {"__proto__": {}}, [None] * 200, {"type": "stagewright.STAGE_RESULT"},
)  # fmt: skip
ODDITIES = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"01", b"1.", b".5", b"0x10", b"1" * 400,
    b"18446744073709551616", b"-9223372036854775809", b"'text'", b'"\\ud800"', b'"\\u0000"',
    b'"\xff\xfe"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"open', b"{", b"]", b"tru", b"undefined",
    b'{"a":1,"a":2}', b"[1,]", b"/* */ 1", b"", b"\x00", b"\xef\xbb\xbf1",
)  # fmt: skip
CODINGS = ("utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037")
BLOCK = 512 * 1024
"""Well above what an envelope may have."""

PLACES = 1_000
"""Of a big value only so many places are looked at."""

Mutation = Callable[["Mutator", bytes], bytes]


class Mutator:
    """Draws mutations of an envelope."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def mutated(self, envelope: bytes, others: list[bytes]) -> bytes:
        """Return something that is most likely wrong; now and then a mixture with another."""
        body = envelope
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            if self.chance.random() < 0.05:
                body = self._spliced(body, self.chance.choice(others))
            else:
                body = self.chance.choice(MUTATIONS)(self, body)
        return body

    def _spliced(self, one: bytes, other: bytes) -> bytes:
        at = self.chance.randrange(len(one) + 1)
        return one[:at] + other[self.chance.randrange(len(other) + 1) :]

    def place(self, value: Any) -> tuple[Any, Any]:
        """Return a container somewhere inside, and a key or index of it."""
        found: list[tuple[Any, Any]] = []
        stack = [value]
        while stack and len(found) < PLACES:
            box = stack.pop()
            keys = box if type(box) is dict else range(len(box)) if type(box) is list else ()
            found += ((box, key) for key in keys)
            stack += (box[key] for key in keys)
        return self.chance.choice(found) if found else ([value], 0)


def in_json(change: Callable[[Mutator, Any, Any], None]) -> Mutation:
    """Make a mutation of what changes the JSON value at some place; others are left as they are."""

    def mutate(mutator: Mutator, body: bytes) -> bytes:
        try:
            value = orjson.loads(body)
        except ValueError:
            return body
        change(mutator, *mutator.place(value))
        try:
            return orjson.dumps(value)
        except (TypeError, ValueError):
            return body

    return mutate


@in_json
def other_type(mutator: Mutator, box: Any, key: Any) -> None:
    box[key] = mutator.chance.choice(STRANGE)


@in_json
def missing(_: Mutator, box: Any, key: Any) -> None:
    del box[key]


@in_json
def renamed(mutator: Mutator, box: Any, key: Any) -> None:
    if type(box) is dict:
        box[mutator.chance.choice(("Task", "task ", "ta\u200bsk", key * 2))] = box.pop(key)


@in_json
def wrapped(mutator: Mutator, box: Any, key: Any) -> None:
    box[key] = mutator.chance.choice(([box[key]], {"value": box[key]}, str(box[key])))


@in_json
def moved(mutator: Mutator, box: Any, key: Any) -> None:
    if type(box) is dict:
        box[key] = box[mutator.chance.choice(list(box))]


@in_json
def one_off(mutator: Mutator, box: Any, key: Any) -> None:
    """A token, an attempt, a visit that was or is not yet."""
    if type(box[key]) is int:
        box[key] += mutator.chance.choice((-1, 1, 1_000_000, 2**63))
    elif type(box[key]) is str and box[key]:
        at = mutator.chance.randrange(len(box[key]))
        box[key] = box[key][:at] + mutator.chance.choice("019afp/-") + box[key][at + 1 :]


@in_json
def grown(mutator: Mutator, box: Any, key: Any) -> None:
    size = mutator.chance.choice((100, 5_000, 60_000, 200_000))
    box[key] = mutator.chance.choice(
        ("y" * size, [0] * (size // 2), dict.fromkeys(map(str, range(size // 8)), 1))
    )


def odd(mutator: Mutator, body: bytes) -> bytes:
    """Put a token that is no JSON, or odd JSON, in the place of a value."""
    colons = [at for at, byte in enumerate(body) if byte in b":,["]
    if not colons:
        return mutator.chance.choice(ODDITIES)
    at = mutator.chance.choice(colons) + 1
    end = min((e for e in (body.find(c, at) for c in (b",", b"}", b"]")) if e > 0), default=at)
    return body[:at] + mutator.chance.choice(ODDITIES) + body[end:]


def twice(mutator: Mutator, body: bytes) -> bytes:
    """Give an object a key twice."""
    extra = mutator.chance.choice(
        (b'"leasetoken":1,', b'"task":"x",', b'"data":{},', b'"a":1,"a":1,')
    )
    return body.replace(b"{", b"{" + extra, 1)


def deep(mutator: Mutator, body: bytes) -> bytes:
    depth = mutator.chance.choice((10, 60, 65, 1_000, 50_000))
    opening, closing = mutator.chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    inner = b"1" if opening != b"[" else b""
    nested = opening * depth + inner + closing * mutator.chance.choice((depth, depth, 0))
    return body.replace(b"null", nested, 1) if b"null" in body else nested


def dense(mutator: Mutator, body: bytes) -> bytes:
    """As much structure as fits: what costs a parser most."""
    piece = mutator.chance.choice(
        (b'{"a":1},', b"[[]],", b'"\\u0041",', b'{"\\u00e9":-1.5e-7},', b'"\\\\",')
    )
    count = (240 * 1024 - len(body)) // len(piece)
    return body.replace(b"null", b"[" + piece * max(count, 1) + b" 0 ]", 1)


def flipped(mutator: Mutator, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(mutator.chance.choice((1, 1, 2, 8))):
        if changed:
            changed[mutator.chance.randrange(len(changed))] ^= 1 << mutator.chance.randrange(8)
    return bytes(changed)


def shortened(mutator: Mutator, body: bytes) -> bytes:
    return body[: mutator.chance.randrange(len(body) + 1)]


def repeated(mutator: Mutator, body: bytes) -> bytes:
    return body * mutator.chance.choice((2, 3)) + mutator.chance.choice((b"", b"\n", b"\x00"))


def recoded(mutator: Mutator, body: bytes) -> bytes:
    return body.decode(errors="replace").encode(mutator.chance.choice(CODINGS), errors="replace")


def oversize(mutator: Mutator, body: bytes) -> bytes:
    return body + b" " * BLOCK if mutator.chance.random() < 0.05 else body[:-1]


def noise(mutator: Mutator, _: bytes) -> bytes:
    return mutator.chance.randbytes(mutator.chance.choice((0, 1, 40, 2_000)))


MUTATIONS: tuple[Mutation, ...] = (
    other_type, other_type, missing, renamed, wrapped, moved, one_off, one_off, grown, odd, twice,
    deep, dense, flipped, shortened, repeated, recoded, oversize, noise,
)  # fmt: skip

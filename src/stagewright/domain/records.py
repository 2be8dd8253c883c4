"""Records: the domain's immutable values, and their canonical JSON for snapshots and logs.

Fields that hold their default are left out, fields stand in the order in which their class names
them, and keys of mappings are sorted; so equal values give equal bytes, and a field added later, at
the end and with a default, leaves older records as they were.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import DecodeError, Raw, ValidationError

__all__ = ["Codec", "Raw", "Record", "Unreadable", "as_dict", "but", "encode"]

T = TypeVar("T")
R = TypeVar("R", bound="Record")

Unreadable = (DecodeError, ValidationError)
"""What decoding raises: the bytes are no JSON, or no record of this class."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A value. Members of a union carry a tag: `class A(Record, tag_field="kind", tag="a")`.

    Records are trees, never cycles: the collector need not look at them.
    """


_encode = msgspec.json.Encoder(order="deterministic").encode


def encode(value: Any) -> bytes:
    """Return the canonical JSON of a record (or of plain JSON values that hold records)."""
    return _encode(value)


def but(record: R, **changes: Any) -> R:
    """Return a copy of a record with some fields changed."""
    return msgspec.structs.replace(record, **changes)


def as_dict(record: Record) -> dict[str, Any]:
    """Return the fields of a record by name, their values as they are."""
    return msgspec.structs.asdict(record)


class Codec(Generic[T]):
    """Turns JSON into records of one class, by its type hints."""

    def __init__(self, root: type[T]) -> None:
        self._decode = msgspec.json.Decoder(root).decode

    def decode(self, body: bytes) -> T:
        """Build the record; one of `Unreadable` when a field is missing, unknown or of no fit."""
        return self._decode(body)

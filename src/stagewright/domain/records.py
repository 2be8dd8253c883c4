"""Canonical JSON of the domain's frozen dataclasses, for snapshots and logs.

Fields that hold their default are left out and keys are sorted, so equal values give equal bytes
and a field added later with a default leaves older records as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import UnionType
from typing import Any, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS

Decoder = Callable[[Any], Any]
T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a value class: frozen for the type checker, plain at run time.

    A constructor that freezes pays for each field; on the hottest path that was a third of a step.
    """
    return dataclass(cls)


def encode(value: Any) -> bytes:
    """Return the canonical JSON of a record (or of plain JSON values that hold records)."""
    return _dumps(_spell(value) if hasattr(value, "__dataclass_fields__") else value)


def tag_of(cls: type[Any]) -> str | None:
    """Return the `kind` or `type` that tells members of a union apart."""
    tag = getattr(cls, "kind", None) or getattr(cls, "type", None)
    return tag if isinstance(tag, str) else None


def but(record: T, **changes: Any) -> T:
    """Return a copy of a frozen record with some fields changed.

    `dataclasses.replace` runs the whole constructor: ten times the price on the hottest path.
    """
    copy = object.__new__(type(record))
    held = copy.__dict__
    held.update(record.__dict__)
    held.pop(_MEMO, None)
    held.update(changes)
    return copy


def kept(cls: type[T]) -> type[T]:
    """Mark a record class whose instances live through many steps: each is encoded once."""
    _kept.add(cls)
    return cls


_MEMO = "_json"
_kept: set[type[Any]] = set()
_spellers: dict[type[Any], Callable[[Any], Any]] = {}


def _spell(value: Any) -> Any:
    cls = type(value)
    return (_spellers.get(cls) or _speller(cls))(value)


def _speller(cls: type[Any]) -> Callable[[Any], Any]:
    """Write the function that turns records of one class into what the encoder takes.

    Written out field by field it takes a third of the time that a loop over the fields takes, and
    a workflow's whole state passes here with every step.
    """
    names: dict[str, Any] = {"spell": _spell, "dumps": _dumps, "Fragment": orjson.Fragment}
    tag = tag_of(cls)
    always = {} if tag is None else {_tag_field(cls): repr(tag)}
    lines: list[str] = []
    hints = get_type_hints(cls)
    for field in fields(cls):
        name, default = _default(field)
        if default is MISSING:
            always[name] = _spelling(hints[name], f"held[{name!r}]")
            continue
        names[f"default_{name}"] = default
        lines += (
            f"    value = held[{name!r}]",
            f"    if value is not default_{name} and value != default_{name}:",
            f"        body[{name!r}] = {_spelling(hints[name], 'value')}",
        )
    pairs = ", ".join(f"{name!r}: {value}" for name, value in always.items())
    head = ["def speller(record):", "    held = record.__dict__"]
    tail = ["    return body"]
    if cls in _kept:
        head += [f"    if (memo := held.get({_MEMO!r})) is not None:", "        return memo"]
        tail = [f"    memo = held[{_MEMO!r}] = Fragment(dumps(body))", "    return memo"]
    exec("\n".join([*head, f"    body = {{{pairs}}}", *lines, *tail]), names)  # noqa: S102  # ours
    made: Callable[[Any], Any] = names["speller"]
    _spellers[cls] = made
    return made


def _spelling(hint: Any, value: str) -> str:
    """Return the expression that spells a field; what it leaves as it is, the encoder asks for."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple and _is_record(args[0]):
        return f"[spell(item) for item in {value}]"
    if isinstance(origin, type) and issubclass(origin, Mapping) and _is_record(args[1]):
        return f"{{key: spell(item) for key, item in {value}.items()}}"
    return value


def _is_record(hint: Any) -> bool:
    members = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    return all(hasattr(member, "__dataclass_fields__") for member in members)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_spell, option=_OPTIONS)


def _tag_field(cls: type[Any]) -> str:
    return "kind" if isinstance(getattr(cls, "kind", None), str) else "type"


def _default(field: Field[Any]) -> tuple[str, Any]:
    if field.default_factory is not MISSING:
        return field.name, field.default_factory()
    return field.name, field.default


class Codec:
    """Turns JSON values into records of one class, by its type hints."""

    def __init__(self, root: type[Any]) -> None:
        self._decoders: dict[Any, Decoder] = {}
        self._decode = self._record(root)

    def decode(self, body: Mapping[str, Any]) -> Any:
        """Build the record; TypeError or KeyError when a field is missing or unknown."""
        return self._decode(body)

    def _of(self, hint: Any) -> Decoder:
        if hint not in self._decoders:
            self._decoders[hint] = self._make(hint)
        return self._decoders[hint]

    def _make(self, hint: Any) -> Decoder:
        origin, args = get_origin(hint), get_args(hint)
        if origin in (UnionType, Union):
            return self._union([a for a in args if a is not type(None)])
        if origin is tuple:
            item = self._of(args[0])
            return lambda values: tuple(map(item, values))
        if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
            held = self._of(args[1])
            return lambda values: {k: held(v) for k, v in values.items()}
        if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
            return self._record(hint)
        if isinstance(hint, type) and issubclass(hint, str) and hint is not str:
            return hint
        return lambda value: value

    def _record(self, cls: type[Any]) -> Decoder:
        hints = get_type_hints(cls)
        makers: dict[str, Decoder] = {}
        tag_field = _tag_field(cls) if tag_of(cls) else None

        def build(body: Mapping[str, Any]) -> Any:
            if not makers:  # on first use, so that classes may refer to one another
                makers.update({f.name: self._of(hints[f.name]) for f in fields(cls)})
            return cls(
                **{
                    k: None if v is None else makers[k](v)
                    for k, v in body.items()
                    if k != tag_field
                }
            )

        return build

    def _union(self, members: list[Any]) -> Decoder:
        if len(members) == 1:
            return self._of(members[0])
        tagged = {tag_of(m): self._of(m) for m in members if isinstance(m, type) and tag_of(m)}
        if len(tagged) != len(members):
            return lambda value: value
        field = _tag_field(members[0])
        return lambda body: tagged[body[field]](body)

"""Whether what one side gives can ever satisfy what the other side takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stagewright.domain.schemas import MAX_DEPTH, Schema, type_name
from stagewright.domain.wiring import Reference, parse_reference, reference_text


def template_schema(template: Any, known: Mapping[Reference, Schema]) -> Schema:
    """What is known of the value a template gives, from what is known of its references."""
    text = reference_text(template)
    if text is not None:
        return known.get(parse_reference(text), Schema.of(None))
    if isinstance(template, dict):
        fields = {str(key): template_schema(value, known) for key, value in template.items()}
        node = {"type": "object", "properties": fields, "required": list(fields)}
        return Schema.of({**node, "additionalProperties": False})
    return Schema.of({"type": "array"} if isinstance(template, list) else {"const": template})


def provably_unfit(producer: Any, consumer: Any) -> list[str]:
    """Why no value of `producer` can satisfy `consumer`; empty when one might."""
    return list(_unfit(Schema.of(producer), Schema.of(consumer), "", 0))


def _unfit(producer: Schema, consumer: Schema, place: str, depth: int) -> Iterator[str]:
    """Every pair of alternatives must be unfit; the reasons of the first pair speak for all."""
    if depth > MAX_DEPTH:
        return
    first: list[str] = []
    for given in producer.alternatives():
        for wanted in consumer.alternatives():
            reasons = list(_unfit_pair(given, wanted, place, depth))
            if not reasons:
                return
            first = first or reasons
    yield from first


def _unfit_pair(given: Schema, wanted: Schema, place: str, depth: int) -> Iterator[str]:
    if given.never:
        return
    shared = given.types() & wanted.types()
    if not shared:
        found, expected = _kinds(given.types()), _kinds(wanted.types())
        yield f"{place or 'the value'} is {found}, but {expected} is expected"
    elif _values_disjoint(given, wanted):
        allowed = ", ".join(map(repr, wanted.values() or ()))
        yield f"{place or 'the value'} is none of the allowed values {allowed}"
    elif shared == {"object"}:
        yield from _unfit_fields(given, wanted, place, depth)
    for member in wanted.keywords.get("allOf", ()):
        yield from _unfit(given, wanted.child(member), place, depth + 1)


def _values_disjoint(given: Schema, wanted: Schema) -> bool:
    possible, allowed = given.values(), wanted.values()
    if possible is None or allowed is None:
        return False
    return not any(_same(value, other) for value in possible for other in allowed)


def _same(value: Any, other: Any) -> bool:
    """JSON equality: Python takes True for 1."""
    return type_name(value) == type_name(other) and bool(value == other)


def _unfit_fields(given: Schema, wanted: Schema, place: str, depth: int) -> Iterator[str]:
    declared = given.keywords.get("properties", {})
    needed = wanted.keywords.get("required", ())
    for name in needed:
        field = f"{place}.{name}" if place else name
        if name in declared:
            yield from _unfit(given.property(name), wanted.property(name), field, depth + 1)
        elif given.closed():
            yield f"required field {field} is absent (there are: {_named(declared)})"
    for name in given.keywords.get("required", ()):
        if name in declared and name not in needed:
            yield from _unfit_extra(given, wanted, name, place, depth)


def _unfit_extra(given: Schema, wanted: Schema, name: str, place: str, depth: int) -> Iterator[str]:
    """A field that is always there and that the consumer does not ask for."""
    field = f"{place}.{name}" if place else name
    extra = wanted.keywords.get("additionalProperties") is False
    if extra and wanted.closed() and name not in wanted.keywords.get("properties", {}):
        yield f"field {field} is not allowed"
    else:
        yield from _unfit(given.property(name), wanted.property(name), field, depth + 1)


def _named(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"


def _kinds(types: frozenset[str]) -> str:
    return " or ".join(sorted(types)) or "nothing"

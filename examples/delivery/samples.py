"""Records that obey a resource's rules, and records that break exactly one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from examples.delivery.request import Resource, ResourceField
from examples.delivery.rules import broken_rule

Record = dict[str, JsonValue]

_TYPICAL: dict[str, JsonValue] = {
    "email": "ada@example.org",
    "integer": 7,
    "number": 2.5,
    "boolean": True,
    "date": "2024-05-17",
}
_WRONG_TYPE: dict[str, JsonValue] = {
    "text": 12345,
    "email": 12345,
    "integer": "seven",
    "number": "much",
    "boolean": "perhaps",
    "date": "2024-13-40",
}


@dataclass(frozen=True)
class Violation:
    """A record that is wrong in one `field` of type `kind`; `rule` says how, `label` in words."""

    field: str
    kind: str
    rule: str
    label: str
    record: Record


def valid_record(resource: Resource) -> Record:
    """The request's first example, or else a record made up from the rules."""
    if resource.examples:
        return dict(resource.examples[0])
    return {field.name: valid_value(field) for field in resource.fields}


def changed_record(resource: Resource) -> Record:
    """A valid record that differs from `valid_record`, wherever the rules leave a choice."""
    if len(resource.examples) > 1:
        return dict(resource.examples[1])
    record = valid_record(resource)
    return record | {
        field.name: _other_value(field, record[field.name])
        for field in resource.fields
        if field.name in record
    }


def valid_value(field: ResourceField) -> JsonValue:
    """A value that obeys the field's rules; None when there is none to be made up."""
    least = max(field.min_length or 1, 1)
    text = f"a sample of {field.name}".ljust(least, ".")[: field.max_length]
    made_up = (_TYPICAL.get(field.type, text), field.minimum, field.maximum, field.default)
    whole = [int(v) for v in (field.minimum, field.maximum) if v is not None]
    for value in (*field.choices, *made_up, *whole):
        if value is not None and broken_rule(field, value) is None:
            return value
    return None


def violations(resource: Resource) -> Iterator[Violation]:
    """Every way of being wrong that the rules of `resource` tell apart, one at a time."""
    valid = valid_record(resource)
    for field in resource.fields:
        if field.required and field.default is None:
            missing = {name: value for name, value in valid.items() if name != field.name}
            yield Violation(field.name, field.type, "required", "missing", missing)
        for label, value in _wrong_values(field):
            rule = broken_rule(field, value)
            if rule is not None:
                yield Violation(field.name, field.type, rule, label, valid | {field.name: value})


def _wrong_values(field: ResourceField) -> Iterator[tuple[str, JsonValue]]:
    if field.required and field.type in ("text", "email"):
        yield "empty", ""
    yield "of_the_wrong_type", _WRONG_TYPE[field.type]
    if field.type == "email":
        yield "not_an_address", "ada at example.org"
    yield from _wrong_lengths(field)
    if field.minimum is not None:
        yield "too_small", int(field.minimum) - 1
    if field.maximum is not None:
        yield "too_large", int(field.maximum) + 1
    if field.choices:
        yield "not_among_the_choices", _outside(field)
    yield from _wrong_patterns(field)


def _wrong_lengths(field: ResourceField) -> Iterator[tuple[str, JsonValue]]:
    end = "@example.org" if field.type == "email" else ""
    if field.max_length is not None:
        yield "too_long", "x" * (field.max_length + 1 - len(end)) + end
    if field.min_length is not None and field.min_length > 1:
        yield "too_short", "x"


def _wrong_patterns(field: ResourceField) -> Iterator[tuple[str, JsonValue]]:
    if field.pattern is None:
        return
    length = max(field.min_length or 1, 1)
    for character in ("~", "?", "a", "0", " "):
        candidate = character * length
        if re.fullmatch(field.pattern, candidate) is None:
            yield "off_pattern", candidate
            return


def _outside(field: ResourceField) -> JsonValue:
    numbers = [choice for choice in field.choices if isinstance(choice, int)]
    return max(numbers) + 1 if field.type in ("integer", "number") else "none of these"


def _other_value(field: ResourceField, value: JsonValue) -> JsonValue:
    candidates: list[JsonValue] = [*field.choices]
    if isinstance(value, bool):
        candidates.append(not value)
    elif isinstance(value, int | float):
        candidates += [value + 1, value - 1]
    elif field.type == "date":
        candidates.append("2025-01-31")
    elif isinstance(value, str):
        candidates += [f"{value} again", value.swapcase(), f"x{value}"]
    for candidate in candidates:
        if candidate != value and broken_rule(field, candidate) is None:
            return candidate
    return value

"""The rules of a record, as the request states them: the measure for samples and for e2e.

The generated service carries rules of its own, written by the scaffolder. Nothing here is shared
with it, so that a service that gets them wrong is found out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from pydantic import JsonValue

from examples.delivery.request import Resource, ResourceField

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def broken_rule(field: ResourceField, value: JsonValue) -> str | None:
    """Name the rule of `field` that `value` breaks, or None: required, type, length, ..."""
    if value is None or value == "":
        return "required" if field.required else None
    if not _fits_type(field, value):
        return field.type if field.type == "email" and isinstance(value, str) else "type"
    checks = {"length": _fits_length, "pattern": _fits_pattern, "range": _fits_range}
    for name, fits in checks.items():
        if not fits(field, value):
            return name
    return "choices" if field.choices and value not in field.choices else None


def broken_rules(resource: Resource, record: Mapping[str, JsonValue]) -> dict[str, str]:
    """Map each field of `record` that is wrong to the rule it breaks."""
    unknown = record.keys() - {field.name for field in resource.fields}
    wrong = dict.fromkeys(sorted(unknown), "unknown")
    for field in resource.fields:
        rule = broken_rule(field, record.get(field.name, field.default))
        if rule is not None:
            wrong[field.name] = rule
    return wrong


def _fits_type(field: ResourceField, value: JsonValue) -> bool:
    match field.type:
        case "text":
            return isinstance(value, str)
        case "email":
            return isinstance(value, str) and EMAIL.fullmatch(value) is not None
        case "integer":
            return type(value) is int and -(2**63) <= value < 2**63
        case "number":
            return type(value) in (int, float)
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_date(value)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _fits_length(field: ResourceField, value: JsonValue) -> bool:
    if not isinstance(value, str):
        return True
    least, most = field.min_length or 0, field.max_length
    return least <= len(value) and (most is None or len(value) <= most)


def _fits_pattern(field: ResourceField, value: JsonValue) -> bool:
    if field.pattern is None or not isinstance(value, str):
        return True
    return re.fullmatch(field.pattern, value) is not None


def _fits_range(field: ResourceField, value: JsonValue) -> bool:
    if not isinstance(value, int | float):
        return True
    above = field.minimum is None or value >= field.minimum
    return above and (field.maximum is None or value <= field.maximum)

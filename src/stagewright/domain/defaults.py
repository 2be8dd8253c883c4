"""Fills what an input leaves out with the defaults that its JSON Schema names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 16
_DEFS = "#/$defs/"


def with_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """Return `value` with the defaults of absent properties, inside objects too; never changed."""
    return _fill(schema, schema.get("$defs", {}), value, 0)


def _fill(schema: Any, definitions: Mapping[str, Any], value: Any, depth: int) -> Any:
    schema = _resolved(schema, definitions)
    if depth > MAX_DEPTH or not isinstance(schema, Mapping):
        return value
    if isinstance(value, dict):
        return _fill_object(schema, definitions, value, depth)
    if isinstance(value, list) and "items" in schema:
        return [_fill(schema["items"], definitions, item, depth + 1) for item in value]
    return value


def _fill_object(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], value: dict[str, Any], depth: int
) -> dict[str, Any]:
    filled = dict(value)
    for name, part in schema.get("properties", {}).items():
        if name in filled:
            filled[name] = _fill(part, definitions, filled[name], depth + 1)
        elif isinstance(part, Mapping) and "default" in part:
            filled[name] = part["default"]
    return filled


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Follow one reference into the schema's own definitions."""
    if isinstance(schema, Mapping) and str(schema.get("$ref", "")).startswith(_DEFS):
        return definitions.get(schema["$ref"][len(_DEFS) :])
    return schema

"""An example value for a JSON Schema: what a start command is shown with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEPTH = 8
_FORMATS = {
    "date-time": "2030-01-31T12:00:00Z",
    "date": "2030-01-31",
    "time": "12:00:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Mapping[str, Any] | None) -> Any:
    """Return a value that most likely fits: examples and defaults first, then what types allow.

    Optional properties without an example are left out.
    """
    return {} if schema is None else _of(schema, schema, _DEPTH)


def _of(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth == 0:
        return None
    for key, pick in (("examples", 0), ("enum", 0)):
        if schema.get(key):
            return schema[key][pick]
    for key in ("const", "default", "example"):
        if key in schema:
            return schema[key]
    if "$ref" in schema:
        return _of(_target(root, str(schema["$ref"])), root, depth - 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _of(schema[key][0], root, depth - 1)
    return _typed(schema, root, depth)


def _target(root: Mapping[str, Any], reference: str) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) and part else found
    return found


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        count = int(schema.get("minItems", 1))
        return [_of(schema.get("items", {}), root, depth - 1) for _ in range(count)]
    if kind == "string":
        return _string(schema)
    if kind in {"integer", "number"}:
        return _number(schema)
    return kind == "boolean" or None


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {
        name: _of(inner, root, depth - 1)
        for name, inner in schema.get("properties", {}).items()
        if name in required or (isinstance(inner, Mapping) and "examples" in inner)
    }


def _string(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text


def _number(schema: Mapping[str, Any]) -> Any:
    if "minimum" in schema:
        return schema["minimum"]
    above = schema.get("exclusiveMinimum", 0)
    highest = schema.get("maximum", schema.get("exclusiveMaximum", above + 2))
    if highest <= above:
        return highest - 1
    return above + 1 if above + 1 < highest else (above + highest) / 2

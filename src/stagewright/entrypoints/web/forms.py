"""Forms from JSON Schemas: fields to show, and the value that was filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from stagewright.domain.errors import ValidationFailed
from stagewright.entrypoints.web import words

Kind = Literal["text", "area", "number", "integer", "check", "choice", "list", "group", "json"]
_DEPTH = 6
_LONG_TEXT = 200
_SIMPLE = frozenset({"string", "number", "integer", "boolean"})
_KINDS: Mapping[str, Kind] = {"number": "number", "integer": "integer", "boolean": "check"}
_INPUTS = {"email": "email", "uri": "url", "date": "date", "date-time": "text", "time": "text"}

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. `name` is its path: `input/address/city`."""

    name: str
    label: str
    kind: Kind
    required: bool = False
    help: str = ""
    value: Any = None
    """As it is written into the form."""
    options: Sequence[Any] = ()
    input_type: str = "text"
    item: str = "string"
    """Type of the items of a list."""
    limits: Mapping[str, Any] | None = None
    fields: Sequence[Field] = ()
    error: str = ""

    @property
    def id(self) -> str:
        """Return an id for labels and errors to refer to."""
        return "f-" + "".join(c if c.isalnum() else "-" for c in self.name)


def fields_of(schema: Schema | None, value: Any = None, name: str = "input") -> Sequence[Field]:
    """Return the fields of a schema's properties, or one field of JSON for any other schema."""
    if schema is None:
        return (_json_field(name, {}, value, required=False),)
    root = _field(name, {**schema}, schema, value, required=True, depth=_DEPTH)
    return root.fields if root.kind == "group" else (root,)


def _field(
    name: str, schema: Any, root: Schema, value: Any, *, required: bool, depth: int
) -> Field:
    schema = _resolved(schema, root)
    if value is None:
        value = schema.get("default")
    if depth == 0:
        return _json_field(name, schema, value, required=required)
    base = Field(
        name, _label(name, schema), "text", required=required, help=_help(schema), value=value
    )
    if schema.get("enum"):
        return replace(base, kind="choice", options=tuple(schema["enum"]))
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        return replace(base, kind="group", fields=_children(name, schema, root, value, depth))
    if kind == "array" and _item_type(schema, root) in _SIMPLE - {"boolean"}:
        lines = "\n".join(map(str, value)) if isinstance(value, list) else ""
        item = _item_type(schema, root)
        return replace(base, kind="list", item=item, value=lines)
    if kind in _SIMPLE:
        return _simple(base, str(kind), schema)
    return _json_field(name, schema, value, required=required)


def _children(name: str, schema: Schema, root: Schema, value: Any, depth: int) -> tuple[Field, ...]:
    wanted = set(schema.get("required", ()))
    given = value if isinstance(value, Mapping) else {}
    fields = (
        _field(
            f"{name}/{key}", inner, root, given.get(key), required=key in wanted, depth=depth - 1
        )
        for key, inner in schema["properties"].items()
    )
    return tuple(sorted(fields, key=lambda one: not one.required))


def _resolved(schema: Any, root: Schema) -> dict[str, Any]:
    """Return a schema with its local reference followed, and `X or null` read as X."""
    found = dict(schema) if isinstance(schema, Mapping) else {}
    for _ in range(_DEPTH):
        if "$ref" in found:
            rest = {key: one for key, one in found.items() if key != "$ref"}
            found = {**_target(root, str(found["$ref"])), **rest}
        elif (one := _optional(found)) is not None:
            rest = {key: each for key, each in found.items() if key not in {"anyOf", "oneOf"}}
            found = {**one, **rest}
        else:
            break
    return found


def _target(root: Schema, reference: str) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _optional(schema: Schema) -> Schema | None:
    choices = [
        one
        for one in schema.get("anyOf") or schema.get("oneOf") or ()
        if isinstance(one, Mapping) and one.get("type") != "null"
    ]
    return choices[0] if len(choices) == 1 else None


def _item_type(schema: Schema, root: Schema) -> str:
    item = _resolved(schema.get("items"), root)
    return "" if item.get("enum") else str(item.get("type", ""))


def _label(name: str, schema: Schema) -> str:
    return str(schema.get("title") or words.title(name.rpartition("/")[2]))


def _help(schema: Schema) -> str:
    parts = [str(schema["description"])] if schema.get("description") else []
    for key, text in _LIMITS.items():
        if key in schema:
            parts.append(f"{text} {schema[key]}.")
    return " ".join(parts)


_LIMITS = {
    "minimum": "At least",
    "exclusiveMinimum": "More than",
    "maximum": "At most",
    "exclusiveMaximum": "Less than",
    "pattern": "Fits",
}


def _simple(base: Field, kind: str, schema: Schema) -> Field:
    if kind == "string":
        long = schema.get("maxLength", 0) > _LONG_TEXT or "\n" in str(base.value or "")
        input_type = _INPUTS.get(str(schema.get("format")), "text")
        names = {"minLength": "minlength", "maxLength": "maxlength", "pattern": "pattern"}
        limits = {html: schema[key] for key, html in names.items() if key in schema}
        return replace(base, kind="area" if long else "text", input_type=input_type, limits=limits)
    names = {"minimum": "min", "maximum": "max"}
    limits = {html: schema[key] for key, html in names.items() if key in schema}
    return replace(base, kind=_KINDS[kind], limits=limits)


def _json_field(name: str, schema: Schema, value: Any, *, required: bool) -> Field:
    text = "" if value is None else words.pretty(value)
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    help_ = _help(schema) or "JSON."
    return Field(name, _label(name, schema), "json", required=required, help=help_, value=text)


def value_of(fields: Sequence[Field], form: Mapping[str, str], whole: str | None = None) -> Any:
    """Return what was filled in; ValidationFailed names the fields that cannot be read.

    `whole` is the JSON of the other way to fill in; when given, fields are not looked at.
    """
    if whole is not None:
        return parsed_json(whole, "input")
    if len(fields) == 1 and "/" not in fields[0].name:
        value = _read(fields[0], form)
        return None if value is _NOTHING else value
    return _object(fields, form)


def parsed_json(text: str, name: str) -> Any:
    """Return the value of a JSON text; ValidationFailed says where it breaks."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        raise ValidationFailed(
            "The JSON cannot be read.", problems=[f"{name}: {error}"], remedy="Correct it."
        ) from error


_NOTHING = object()


def _object(fields: Sequence[Field], form: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for one in fields:
        value = _read(one, form)
        if value is not _NOTHING:
            found[one.name.rpartition("/")[2]] = value
    return found


def _read(one: Field, form: Mapping[str, str]) -> Any:
    if one.kind == "group":
        value = _object(one.fields, form)
        return value if value or one.required else _NOTHING
    text = form.get(one.name, "")
    if one.kind == "check":
        return _checked(one, text)
    if not text.strip():
        return _nothing(one)
    if one.kind == "choice":
        return next((option for option in one.options if str(option) == text), text)
    if one.kind == "list":
        return [_scalar(one, one.item, line.strip()) for line in text.splitlines() if line.strip()]
    return parsed_json(text, one.name) if one.kind == "json" else _scalar(one, one.kind, text)


def _checked(one: Field, text: str) -> Any:
    if text in {"true", "on"}:
        return True
    return False if one.required or one.value is not None else _NOTHING


def _nothing(one: Field) -> Any:
    """Return what an empty field means: an empty text where one is needed, else nothing."""
    if one.required and one.kind in {"text", "area"}:
        return ""
    return [] if one.required and one.kind == "list" else _NOTHING


def _scalar(one: Field, kind: str, text: str) -> Any:
    if kind not in {"integer", "number"}:
        return text
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError as error:
        raise ValidationFailed(
            "The form cannot be read.", problems=[f"{one.name}: {text[:40]!r} is no {kind}"]
        ) from error


def with_errors(fields: Sequence[Field], problems: Sequence[str]) -> tuple[list[Field], list[str]]:
    """Return the fields with what is wrong beside them, and what belongs to none of them."""
    left = list(problems)
    return [_with_error(one, left) for one in fields], left


def _with_error(one: Field, left: list[str]) -> Field:
    if one.fields:
        return replace(one, fields=[_with_error(inner, left) for inner in one.fields])
    own = one.name.removeprefix("input/")
    found = [p for p in left if p.partition(":")[0] in {own, one.name} or _inside(p, own)]
    for problem in found:
        left.remove(problem)
    return replace(one, error="; ".join(p.partition(": ")[2] or p for p in found))


def _inside(problem: str, own: str) -> bool:
    """Whether a problem is about a part of a field, or says that the field is missing."""
    where, _, message = problem.partition(":")
    parent, _, key = own.rpartition("/")
    missing = f'"{key}" is a required property' in message
    return where.startswith(f"{own}/") or (missing and where in {parent, parent or "input"})

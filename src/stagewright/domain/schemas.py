"""What can be proved about JSON Schemas (2020-12) without any value: what never fits, what is null.

Everything here is conservative: an answer is given only when it holds for every value. Keywords
that are not understood are taken to allow anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

MAX_DEPTH = 32
"""Levels of schema that are looked at; deeper ones are taken to allow anything."""

_COMBINERS = ("anyOf", "oneOf")
_OPENERS = ("allOf", "if", "dependentSchemas", "patternProperties", *_COMBINERS)
_ANNOTATIONS = frozenset(
    {"$anchor", "$comment", "$defs", "$id", "$schema", "default", "deprecated", "description"}
    | {"discriminator", "examples", "format", "readOnly", "title", "writeOnly"}
)
_EVERY = frozenset({"null", "boolean", "object", "array", "number", "string"})


@dataclass(frozen=True, slots=True)
class Schema:
    """A place in a JSON Schema document: the node and the document its references point into.

    A node's properties may be `Schema` themselves, which is how schemas of templates are made.
    """

    node: Any
    document: Any

    @classmethod
    def of(cls, schema: Any) -> Schema:
        """Take a whole document; None allows anything."""
        if isinstance(schema, Schema):
            return schema
        document = True if schema is None else schema
        return cls(document, document)

    def child(self, node: Any) -> Schema:
        """Another node of the same document."""
        return node if isinstance(node, Schema) else Schema(node, self.document)

    def resolved(self) -> Schema:
        """Follow local `$ref`s; one that leads outside, nowhere or in a circle allows anything."""
        here = self
        for _ in range(MAX_DEPTH):
            reference = here.node.get("$ref") if isinstance(here.node, dict) else None
            if reference is None:
                return here
            alone = here.only("$ref")
            here = here.child(_pointed(here.document, reference) if alone else True)
        return here.child(True)  # noqa: FBT003 - the schema `true`

    @property
    def keywords(self) -> Mapping[str, Any]:
        """The keywords of a schema that is an object, nothing for `true` and `false`."""
        return self.node if isinstance(self.node, dict) else {}

    @property
    def never(self) -> bool:
        """True for the schema `false`, which no value satisfies."""
        return self.node is False

    def only(self, *keywords: str) -> bool:
        """True when nothing but these keywords, and remarks, stands in the schema."""
        return _ANNOTATIONS.issuperset(self.keywords.keys() - set(keywords))

    def alternatives(self) -> list[Schema]:
        """The members of a lone `anyOf` or `oneOf`, resolved; else the schema itself."""
        here = self.resolved()
        for keyword in _COMBINERS:
            members = here.keywords.get(keyword)
            if members and here.only(keyword, "type"):
                return [here.child(member).resolved() for member in members]
        return [here]

    def types(self) -> frozenset[str]:
        """The JSON types that values may have; `integer` counts as `number`."""
        if self.never:
            return frozenset()
        declared = self.keywords.get("type")
        if declared is None:
            values = self.values()
            return _EVERY if values is None else frozenset(map(type_name, values))
        names = [declared] if isinstance(declared, str) else declared
        return frozenset("number" if name == "integer" else name for name in names)

    def values(self) -> list[Any] | None:
        """The only values allowed, None when they are not listed."""
        if "const" in self.keywords:
            return [self.keywords["const"]]
        listed = self.keywords.get("enum")
        return listed if isinstance(listed, list) else None

    def property(self, name: str) -> Schema:
        """What is known of a field; anything is allowed where nothing is said."""
        declared = self.keywords.get("properties", {})
        if name in declared:
            return self.child(declared[name]).resolved()
        return self.child(self.keywords.get("additionalProperties", True)).resolved()

    def items(self) -> Schema:
        """What is known of an array's items."""
        return self.child(self.keywords.get("items", True)).resolved()

    def closed(self) -> bool:
        """True when fields that are not declared cannot be counted on: none are spoken of."""
        if any(keyword in self.keywords for keyword in _OPENERS):
            return False
        extra = self.keywords.get("additionalProperties")
        return extra is False or (extra is None and "properties" in self.keywords)


def _pointed(document: Any, reference: Any) -> Any:
    if not isinstance(reference, str) or not f"{reference}/".startswith("#/"):
        return True
    node = document
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or key not in node:
            return True
        node = node[key]
    return node


_JSON_TYPES: dict[type, str] = {
    bool: "boolean",  # before int, whose subclass it is
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
}


def type_name(value: Any) -> str:
    """The JSON type of a Python value."""
    if value is None:
        return "null"
    return next((name for kind, name in _JSON_TYPES.items() if isinstance(value, kind)), "object")


def compile_schema(schema: Any, *, mask: str | None = None) -> jsonschema_rs.Draft202012Validator:
    """A validator that reads no files and no network; raises ValueError for what is no schema.

    `mask` stands in its messages in place of values, which may be nobody's to read.
    """
    return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse, mask=mask)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} lies outside of this schema; put it under $defs.")


def schema_problem(schema: Any) -> str | None:
    """Why this is not a JSON Schema 2020-12, None when it is one."""
    if not isinstance(schema, dict | bool):
        return f"it is {type(schema).__name__}, not an object."
    try:
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        place = ".".join(map(str, error.instance_path))
        return (f"at {place}: " if place else "") + error.message.rstrip(".") + "."
    except ValueError as error:
        return f"{error}"
    return None


def accepts_null(schema: Any) -> bool:
    """True when null may be allowed; False only when it certainly is not."""
    return _accepts_null(Schema.of(schema), 0)


def _accepts_null(schema: Schema, depth: int) -> bool:
    here = schema.resolved()
    if depth > MAX_DEPTH:
        return True
    values = here.values()
    if "null" not in here.types() or (values is not None and None not in values):
        return False
    members = [here.child(member) for member in here.keywords.get("allOf", ())]
    if not all(_accepts_null(member, depth + 1) for member in members):
        return False
    options = [here.child(m) for key in _COMBINERS for m in here.keywords.get(key, ())]
    return not options or any(_accepts_null(option, depth + 1) for option in options)


def at_path(schema: Any, path: tuple[str, ...]) -> Schema:
    """What is known of the value at a path of fields and indexes."""
    here = Schema.of(schema).resolved()
    for key in path:
        inside = _inside(here)
        if inside is None:
            return Schema.of(None)
        here = inside.property(key) if "object" in inside.types() else inside.items()
    return here


def missing_field(schema: Any, path: tuple[str, ...]) -> tuple[str, list[str]] | None:
    """The first field of the path that is known not to exist, and those that do."""
    for depth, key in enumerate(path):
        inside = _inside(at_path(schema, path[:depth]))
        if inside is None or inside.types() != {"object"} or not inside.closed():
            continue
        declared = inside.keywords.get("properties", {})
        if key not in declared:
            return key, sorted(declared)
    return None


def _inside(schema: Schema) -> Schema | None:
    """The one alternative that is not null; None when there are several."""
    options = [option for option in schema.alternatives() if option.types() != {"null"}]
    return options[0] if len(options) == 1 else None

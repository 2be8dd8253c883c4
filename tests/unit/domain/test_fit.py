from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.fit import provably_unfit, template_schema
from stagewright.domain.schemas import Schema
from stagewright.domain.wiring import parse_reference

from .definitions import NUMBER, TEXT, fields

NULL = {"type": "null"}
RECURSIVE = {"$defs": {"T": fields(next={"$ref": "#/$defs/T"})}, "$ref": "#/$defs/T"}


def either(*options: Any, **others: Any) -> dict[str, Any]:
    return {"anyOf": list(options), **others}


@pytest.mark.parametrize(
    ("producer", "consumer", "reason"),
    [
        (TEXT, NUMBER, "the value is string, but number is expected"),
        (fields(a=TEXT), fields(a=NUMBER), "a is string, but number is expected"),
        (fields(a=TEXT), fields(b=TEXT), "required field b is absent (there are: a)"),
        (fields(), fields(b=TEXT), "required field b is absent (there are: -)"),
        (fields(a=fields(x=TEXT)), fields(a=fields(y=TEXT)), "required field a.y is absent"),
        ({"enum": ["a"]}, {"enum": ["b", "c"]}, "none of the allowed values 'b', 'c'"),
        ({"const": True}, {"const": 1}, "boolean, but number is expected"),
        (either(fields(a=TEXT), NULL), fields(b=TEXT), "required field b is absent"),
        (TEXT, either(NUMBER, NULL), "string, but number is expected"),
        (TEXT, False, "string, but nothing is expected"),
        (fields(a=TEXT), {"allOf": [fields(b=TEXT)]}, "required field b is absent"),
        (
            {"$ref": "#/$defs/P", "$defs": {"P": fields(a=TEXT)}},
            {"$ref": "#/$defs/C", "$defs": {"C": fields(a=NUMBER)}},
            "a is string",
        ),
        (fields(a=TEXT), {**fields(), "additionalProperties": False}, "field a is not allowed"),
        (
            {"type": "object", "properties": {"a": TEXT}},
            fields(a=NUMBER),
            "a is string, but number is expected",
        ),
    ],
)
def test_what_can_never_fit_is_proved_with_a_reason(
    producer: Any, consumer: Any, reason: str
) -> None:
    assert reason in "; ".join(provably_unfit(producer, consumer))


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        (fields(a=TEXT), fields(a=TEXT)),
        (fields(a=NUMBER), fields(a={"type": "number"})),
        (fields(a={"type": "number"}), fields(a=NUMBER)),
        ({}, fields(a=TEXT)),
        (True, fields(a=TEXT)),
        ({"type": "object"}, fields(a=TEXT)),
        ({**fields(a=TEXT), "additionalProperties": True}, fields(b=TEXT)),
        ({**fields(a=TEXT), "patternProperties": {"b": TEXT}}, fields(b=TEXT)),
        ({**fields(a=TEXT), "anyOf": [fields(b=TEXT), fields(c=TEXT)]}, fields(b=TEXT)),
        (fields(a=TEXT), {"type": "object", "properties": {"b": TEXT}}),
        (either(TEXT, NUMBER), NUMBER),
        (TEXT, either(TEXT, NULL)),
        ({"type": ["object", "null"], "properties": {}}, {"type": ["object", "null"]}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": NUMBER}),
        (RECURSIVE, RECURSIVE),
        ({"$ref": "#"}, TEXT),
        ({"$ref": "#/$defs/missing"}, TEXT),
        ({"$ref": "other.json"}, TEXT),
        ({"$ref": "#/$defs/P", "$defs": {"P": TEXT}, "minLength": 1}, NUMBER),
        (False, TEXT),
        (None, TEXT),
        ({"type": "object", "properties": {"a": TEXT}}, {"properties": {"a": NUMBER}}),
    ],
)
def test_what_might_fit_is_given_the_benefit_of_the_doubt(producer: Any, consumer: Any) -> None:
    assert provably_unfit(producer, consumer) == []


def test_one_alternative_that_fits_is_enough() -> None:
    options = either(fields(a=TEXT), fields(b=NUMBER))
    assert provably_unfit(options, fields(b=NUMBER)) == []


def test_a_template_has_the_fields_it_writes_and_what_is_known_of_its_references() -> None:
    template = {"n": {"from": "input.n"}, "m": 1, "l": [1], "u": {"from": "input.unknown"}}
    known = {parse_reference("input.n"): Schema.of(TEXT)}
    given = template_schema(template, known)
    assert provably_unfit(given, fields(n=TEXT, m=NUMBER, l={"type": "array"}, u=TEXT)) == []
    assert provably_unfit(given, fields(n=NUMBER)) == ["n is string, but number is expected"]
    assert provably_unfit(given, fields(z=TEXT)) != []


def test_references_of_a_template_resolve_in_the_document_they_come_from() -> None:
    document = {"$defs": {"A": fields(x=TEXT)}, **fields(a={"$ref": "#/$defs/A"})}
    known = {parse_reference("input.a"): Schema.of(document).property("a")}
    given = template_schema({"a": {"from": "input.a"}}, known)
    assert provably_unfit(given, fields(a=fields(x=NUMBER))) != []

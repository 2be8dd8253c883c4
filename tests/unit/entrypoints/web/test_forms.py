"""Forms from schemas, and back."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.errors import ValidationFailed
from stagewright.entrypoints.web.forms import fields_of, value_of, with_errors

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title", "size", "place"],
    "$defs": {
        "Place": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
        }
    },
    "properties": {
        "note": {"type": "string", "maxLength": 2_000},
        "title": {"type": "string", "minLength": 2},
        "size": {"type": "integer", "minimum": 1},
        "rate": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": 0.5},
        "loud": {"type": "boolean"},
        "tone": {"enum": ["dry", "warm", 3]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "counts": {"type": "array", "items": {"type": "integer"}},
        "place": {"$ref": "#/$defs/Place"},
        "rest": {"type": "array", "items": {"type": "object"}},
    },
}


def test_each_type_has_its_field_and_what_is_needed_comes_first() -> None:
    fields = fields_of(SCHEMA)
    assert [f.name for f in fields[:3]] == ["input/title", "input/size", "input/place"]
    assert {f.name.removeprefix("input/"): f.kind for f in fields} == {
        "title": "text",
        "size": "integer",
        "place": "group",
        "note": "area",
        "rate": "number",
        "loud": "check",
        "tone": "choice",
        "tags": "list",
        "counts": "list",
        "rest": "json",
    }


def test_a_filled_form_gives_the_value() -> None:
    form = {
        "input/title": "On time",
        "input/size": "3",
        "input/loud": "true",
        "input/tone": "3",
        "input/tags": "a\n\n b ",
        "input/counts": "1\n2",
        "input/place/city": "Bern",
        "input/rest": '[{"a": 1}]',
    }
    assert value_of(fields_of(SCHEMA), form) == {
        "title": "On time",
        "size": 3,
        "loud": True,
        "tone": 3,
        "tags": ["a", "b"],
        "counts": [1, 2],
        "place": {"city": "Bern"},
        "rest": [{"a": 1}],
    }


def test_what_is_optional_and_left_empty_is_left_out() -> None:
    found = value_of(fields_of(SCHEMA), {"input/size": "1"})
    assert found == {"title": "", "size": 1, "place": {"city": ""}}


def test_json_is_the_other_way() -> None:
    assert value_of(fields_of(SCHEMA), {}, whole='{"any": 1}') == {"any": 1}
    with pytest.raises(ValidationFailed, match="input: Expecting"):
        value_of(fields_of(SCHEMA), {}, whole="{")


def test_a_number_that_is_none_names_its_field() -> None:
    with pytest.raises(ValidationFailed, match=r"input/size: 'x' is no integer"):
        value_of(fields_of(SCHEMA), {"input/size": "x"})


@pytest.mark.parametrize("schema", [None, {"type": "array"}, {"oneOf": [{}, {}]}])
def test_a_schema_without_properties_is_filled_in_as_json(schema: Any) -> None:
    (field,) = fields_of(schema)
    assert field.kind == "json"
    assert value_of((field,), {"input": "[1, 2]"}) == [1, 2]


def test_a_workflow_that_takes_anything_may_be_given_nothing() -> None:
    fields = fields_of(None)
    assert not fields[0].required
    assert value_of(fields, {"input": ""}) is None


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    field = fields_of(schema)[0]
    while field.fields:
        field = field.fields[0]
    assert field.kind == "json"


def test_problems_stand_beside_their_fields() -> None:
    problems = ["size: 0 is less than 1", 'place: "city" is a required property', "odd: no"]
    fields, left = with_errors(fields_of(SCHEMA), problems)
    by_name = {f.name: f for f in fields}
    assert by_name["input/size"].error == "0 is less than 1"
    assert by_name["input/place"].fields[0].error == '"city" is a required property'
    assert left == ["odd: no"]

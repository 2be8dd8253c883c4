from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.schemas import (
    MAX_DEPTH,
    accepts_null,
    at_path,
    compile_schema,
    missing_field,
    schema_problem,
)

from .definitions import NUMBER, TEXT, fields

NULL = {"type": "null"}


@pytest.mark.parametrize(
    ("schema", "accepts"),
    [
        ({}, True),
        (None, True),
        (True, True),
        (False, False),
        (TEXT, False),
        ({"type": ["string", "null"]}, True),
        ({"anyOf": [TEXT, NULL]}, True),
        ({"anyOf": [TEXT, NUMBER]}, False),
        ({"enum": [1, None]}, True),
        ({"const": 1}, False),
        ({"type": "null", "enum": [1]}, False),
        ({"allOf": [TEXT]}, False),
        ({"allOf": [{}]}, True),
        ({"$ref": "#/$defs/T", "$defs": {"T": TEXT}}, False),
        ({"$ref": "elsewhere"}, True),
        ({"minimum": 1}, True),
    ],
)
def test_null_is_accepted_unless_it_certainly_is_not(schema: Any, accepts: bool) -> None:
    assert accepts_null(schema) is accepts


def test_endless_schemas_end() -> None:
    endless: dict[str, Any] = {"allOf": [{"$ref": "#"}]}
    assert accepts_null(endless)
    assert MAX_DEPTH < 100


def test_a_path_leads_through_fields_items_references_and_optionals() -> None:
    document = {
        "$defs": {"File": fields(path=TEXT)},
        **fields(files={"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/File"}}, NULL]}),
    }
    assert at_path(document, ("files", "0", "path")).node == TEXT
    assert at_path(document, ("files", "0", "nope")).node is True


def test_a_path_into_one_of_several_kinds_is_unknown() -> None:
    assert at_path({"anyOf": [fields(a=TEXT), fields(a=NUMBER)]}, ("a",)).node is True


def test_a_missing_field_is_told_with_those_there_are() -> None:
    document = fields(a=fields(b=TEXT, c=TEXT))
    assert missing_field(document, ("a", "d")) == ("d", ["b", "c"])
    assert missing_field(document, ("a", "b")) is None
    assert missing_field({"type": "object"}, ("a",)) is None
    assert missing_field({**fields(a=TEXT), "additionalProperties": True}, ("b",)) is None


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "object"}, None),
        (True, None),
        (5, "it is int, not an object."),
        ({1: 2}, "Dict key must be str"),
        ({"properties": {"a": {"type": 3}}}, "at properties.a.type: 3 is not valid under any"),
        ({"pattern": "("}, 'at pattern: "(" is not a "regex".'),
        ({"$ref": "#/$defs/x"}, "Pointer '/$defs/x' does not exist."),
    ],
)
def test_a_broken_schema_is_told_with_the_place(schema: Any, problem: str | None) -> None:
    found = schema_problem(schema)
    assert found == problem if problem is None else (found or "").startswith(problem)


@pytest.mark.parametrize("uri", ["file:///etc/hostname", "http://127.0.0.1:9/x"])
def test_a_schema_reads_no_files_and_no_network(uri: str) -> None:
    with pytest.raises(ValueError, match=r"lies outside of this schema; put it under \$defs"):
        compile_schema({"$ref": uri})


def test_a_compiled_schema_validates() -> None:
    validator = compile_schema(fields(a=TEXT))
    assert validator.is_valid({"a": "x"})
    assert not validator.is_valid({"a": 1})

from __future__ import annotations

from typing import Any, Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, Field

from stagewright.application.sample_input import sample


class Address(BaseModel):
    street: str = Field(min_length=8)
    kind: Literal["home", "work"]


class Order(BaseModel):
    name: str = Field(examples=["Ada"])
    count: int = Field(ge=3)
    price: float = Field(gt=0, le=0.5)
    tags: list[str] = Field(min_length=2)
    address: Address
    note: str | None = None
    urgent: bool
    colour: str = "red"
    comment: str = Field(default="", examples=["soon"])
    short: str = Field(max_length=2)
    mail: str = Field(json_schema_extra={"format": "email"})


def test_a_sample_of_a_model_fits_it() -> None:
    found = sample(Order.model_json_schema())
    assert Order.model_validate(found).name == "Ada"
    assert found["comment"] == "soon"
    assert "colour" not in found


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": ["integer", "null"]},
        {"type": "number", "maximum": -2},
        {"type": "array", "items": {"type": "boolean"}},
        {"const": 7},
        {"enum": ["a", "b"]},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "null"},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        {"properties": {"a": {"default": 3}}, "required": ["a"]},
        {"type": "string", "format": "date-time"},
    ],
    ids=str,
)
def test_a_sample_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema_rs.validator_for(schema).validate(sample(schema))


def test_without_a_schema_an_empty_object_is_shown() -> None:
    assert sample(None) == {}


def test_a_schema_that_contains_itself_has_a_sample() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}}
    assert sample(node)["next"] is not None


def test_a_reference_to_nowhere_does_no_harm() -> None:
    assert sample({"$ref": "#/$defs/gone"}) is None

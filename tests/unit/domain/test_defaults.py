"""What an input leaves out comes from its schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from stagewright.domain.defaults import with_defaults


class Item(BaseModel):
    name: str
    count: int = 1


class Order(BaseModel):
    items: list[Item]
    first: Item
    note: str = "none"
    tags: list[str] = []


SCHEMA = Order.model_json_schema()


def test_absent_properties_take_their_defaults_in_objects_and_lists() -> None:
    given = {"items": [{"name": "a"}, {"name": "b", "count": 3}], "first": {"name": "c"}}
    assert with_defaults(SCHEMA, given) == {
        "items": [{"name": "a", "count": 1}, {"name": "b", "count": 3}],
        "first": {"name": "c", "count": 1},
        "note": "none",
        "tags": [],
    }


def test_what_is_given_stays_even_when_it_is_null() -> None:
    assert with_defaults(SCHEMA, {"note": None})["note"] is None


def test_the_value_given_is_not_changed() -> None:
    given: dict[str, Any] = {"first": {"name": "c"}}
    with_defaults(SCHEMA, given)
    assert given == {"first": {"name": "c"}}


def test_what_is_no_object_is_left_alone() -> None:
    assert with_defaults(SCHEMA, 7) == 7
    assert with_defaults({"properties": {"a": True}}, {}) == {}


def test_a_schema_that_refers_to_itself_ends_with_the_value() -> None:
    schema = {"$ref": "#/$defs/T", "$defs": {"T": {"properties": {"t": {"$ref": "#/$defs/T"}}}}}
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"t": value}
    assert with_defaults(schema, value) == value

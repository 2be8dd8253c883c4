from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from stagewright.application.agent_shapes import (
    MAX_PROBLEMS,
    AnyShape,
    Mismatch,
    SchemaShape,
    Shape,
    TypedShape,
    shape_of,
)
from stagewright.domain.errors import ConfigurationError


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime
    tags: tuple[str, ...] = ()
    kind: str = Field(default="a", serialization_alias="Kind")


@dataclass
class Point:
    x: int


def problems(shape: Shape, value: Any, *, writing: bool = False) -> list[dict[str, Any]]:
    with pytest.raises(Mismatch) as caught:
        shape.write(value) if writing else shape.read(orjson.dumps(value))
    return [dict(problem) for problem in caught.value.problems]


def test_a_strict_model_reads_what_json_can_say() -> None:
    shape = TypedShape(Strict, "input")
    read = shape.read(b'{"at":"2026-01-31T12:00:00Z","tags":["a"]}')
    assert read.tags == ("a",)
    assert read.at.year == 2026


def test_a_value_is_written_as_its_schema_says() -> None:
    shape = TypedShape(Strict, "output")
    written = shape.write(Strict(at=datetime(2026, 1, 31)))  # noqa: DTZ001
    assert written == {"at": "2026-01-31T00:00:00", "tags": [], "Kind": "a"}
    assert set(shape.schema["properties"]) == set(written)


def test_a_dict_may_be_returned_where_a_model_is_promised() -> None:
    assert TypedShape(Point, "output").write({"x": "3"}) == {"x": 3}


def test_a_wrong_value_is_described_by_path_without_quoting_it() -> None:
    found = problems(TypedShape(list[Point], "input"), [{"x": 1}, {"x": "hunter2"}])
    assert [problem["path"] for problem in found] == ["1.x"]
    assert "hunter2" not in str(found)


def test_a_wrong_output_is_described_by_path() -> None:
    assert problems(TypedShape(Point, "output"), {}, writing=True)[0]["path"] == "x"


def test_a_model_spoilt_after_it_was_built_is_noticed() -> None:
    class Loose(BaseModel):
        n: int

    spoilt = Loose(n=1)
    spoilt.__dict__["n"] = "hunter2"
    found = problems(TypedShape(Loose, "output"), spoilt, writing=True)
    assert "hunter2" not in str(found)


def test_many_problems_are_cut() -> None:
    assert len(problems(TypedShape(list[int], "input"), ["x"] * 50)) == MAX_PROBLEMS


SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer", "maximum": 3}},
}


def test_a_schema_checks_and_leaves_values_alone() -> None:
    shape, value = SchemaShape(SCHEMA), {"n": 1, "more": True}
    assert shape.read(b'{"n":1,"more":true}') == shape.write(value) == value


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [({}, "", "required"), ({"n": "hunter2"}, "n", "type"), ({"n": 4711}, "n", "maximum")],
)
def test_a_schema_names_the_broken_rule_without_the_value(value: Any, path: str, rule: str) -> None:
    found = problems(SchemaShape(SCHEMA), value)
    assert [(problem["path"], problem["rule"]) for problem in found] == [(path, rule)]
    assert "hunter2" not in str(found)
    assert "4711" not in str(found)


def test_a_broken_schema_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="schema: "):
        SchemaShape({"type": "nonsense"})


@pytest.mark.parametrize("annotation", [Any, object])
def test_any_value_has_an_empty_schema(annotation: Any) -> None:
    shape = shape_of(annotation, "input", "x")
    assert isinstance(shape, AnyShape)
    assert shape.schema == {}
    assert shape.read(b'"x"') == shape.write("x") == "x"

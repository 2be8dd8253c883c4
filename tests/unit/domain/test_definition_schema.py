from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from stagewright.domain.definition_schema import definition_json_schema
from stagewright.domain.schemas import compile_schema, schema_problem

from .definition_strategies import definitions
from .definitions import approval, group, wait, work

SCHEMA = definition_json_schema()


def test_the_schema_is_a_json_schema() -> None:
    assert schema_problem(SCHEMA) is None


@settings(max_examples=30, deadline=None)
@given(definitions)
def test_every_well_formed_definition_satisfies_the_schema(data: dict[str, Any]) -> None:
    compile_schema(SCHEMA).validate(data)


@pytest.mark.parametrize(
    "stage",
    [
        work("a", timeout=3),
        work("Not A Name"),
        work("a", on={"Not a label": "b"}),
        work("a", agent="a@1"),
        {"name": "a"},
        {"name": "a", "kind": "other"},
        approval("a", approvers=[]),
        wait("a", for_s=0),
        group("g", join="most", left=[work("a")]),
        group("g", left=[work("a", retry={"attempts": 0})]),
    ],
)
def test_the_schema_finds_what_loading_would_refuse(stage: dict[str, Any]) -> None:
    data = {"name": "example", "stages": [work("x"), stage]}
    assert not compile_schema(SCHEMA).is_valid(data)


def test_what_registration_fills_in_cannot_be_written() -> None:
    assert "contracts" not in SCHEMA["properties"]
    assert "ContractRef" not in SCHEMA["$defs"]

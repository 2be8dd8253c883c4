"""The reference of the definition format tells the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from stagewright.application.yaml_definitions import load_definition
from stagewright.domain.checks import check
from stagewright.domain.definition import Definition, Retry
from stagewright.domain.definition_schema import definition_json_schema
from stagewright.domain.parsing import KINDS
from stagewright.domain.routes import outcomes

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
TEXT = (REFERENCE / "definition.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_every_example_loads_and_is_sound(example: int) -> None:
    assert check(load_definition(EXAMPLES[example], "definition.md")) == []


def test_the_python_example_is_the_first_yaml_example() -> None:
    (python,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(python, "definition.md", "exec"), names)
    assert names["article"].definition == load_definition(EXAMPLES[0], "definition.md")


def test_every_kind_has_an_example() -> None:
    loaded = [load_definition(text, "definition.md") for text in EXAMPLES]
    assert {stage.kind for one in loaded for stage in one.every_stage()} == set(KINDS)


def test_every_field_is_described() -> None:
    models = (Definition, Retry, *KINDS.values())
    fields = {field.alias or name for m in models for name, field in m.model_fields.items()}
    described = set(re.findall(r"`(\w+)`", TEXT))
    assert fields - {"contracts"} <= described


def test_every_outcome_is_described() -> None:
    loaded = [load_definition(text, "definition.md") for text in EXAMPLES]
    known = {one for flow in loaded for stage in flow.every_stage() for one in outcomes(stage)}
    described = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert known - {"rework"} <= described


def test_the_schema_beside_the_reference_is_the_current_one() -> None:
    written = orjson.loads((REFERENCE / "definition.schema.json").read_bytes())
    assert written == definition_json_schema()

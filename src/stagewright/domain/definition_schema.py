"""The JSON Schema of the YAML format, for editors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stagewright.domain.definition import Definition

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def definition_json_schema() -> dict[str, Any]:
    """What may be written in YAML, including the short forms that loading spells out."""
    schema = Definition.model_json_schema(by_alias=True)
    schema["properties"].pop("contracts")  # filled by registration, never written
    schema["$defs"].pop("ContractRef")
    schema["properties"]["priority"] = _priority(schema["properties"]["priority"])
    agent = schema["$defs"]["AgentStage"]["properties"]["agent"]
    agent["pattern"] = agent["pattern"].replace(r"@\^\d+(\.\d+)?$", r"(@\^\d+(\.\d+)?)?$")
    for keyed in _keyed_by_pattern(schema):
        keyed["additionalProperties"] = False
    schema["title"] = "Stagewright definition"
    return {"$schema": SCHEMA_DIALECT, **schema}


def _priority(number: dict[str, Any]) -> dict[str, Any]:
    default = number.pop("default")
    names = {"enum": ["P0", "P1", "P2", "P3"]}
    return {"anyOf": [number, names], "default": default, "title": number.pop("title")}


def _keyed_by_pattern(node: Any) -> Iterator[dict[str, Any]]:
    """The mappings whose keys have a form: other keys are mistakes."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            yield node
        for value in node.values():
            yield from _keyed_by_pattern(value)
    elif isinstance(node, list):
        for value in node:
            yield from _keyed_by_pattern(value)

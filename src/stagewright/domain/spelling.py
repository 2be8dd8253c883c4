"""How Python values are written down: references, templates, schemas and agent requirements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeGuard

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import Problem


class HasContract(Protocol):
    """An agent, as far as definitions are concerned."""

    @property
    def contract(self) -> Contract:
        """What the agent takes and gives."""
        ...


def has_contract(value: object) -> TypeGuard[HasContract]:
    """Whether the value is an agent object."""
    return isinstance(getattr(value, "contract", None), Contract)


class Unwritable(Exception):
    """A Python value has no place in a definition."""

    def __init__(self, place: str, value: object, remedy: str) -> None:
        message = f"{place} has {value!r} ({type(value).__name__}), which cannot be written down."
        self.problem = Problem(None, message, remedy)
        super().__init__(message)


class Ref:
    """A reference under construction: attributes and items go deeper, as in `x.output.files[0]`.

    Names that start with an underscore, and those that are no Python names, go in brackets.
    """

    __slots__ = ("_text",)
    __iter__ = None  # items go on for ever

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Ref:
        if name.startswith("_"):
            raise AttributeError(name)
        return Ref(f"{self._text}.{name}")

    def __getitem__(self, key: str | int) -> Ref:
        return Ref(f"{self._text}.{key}")

    def __repr__(self) -> str:
        return self._text


def reference_to(reference: Ref) -> dict[str, str]:
    """The reference as it stands in a template."""
    return {"from": repr(reference)}


def input_template(value: Any, place: str) -> Any:
    """A template in plain JSON; raises Unwritable for what is no JSON."""
    if isinstance(value, Ref):
        return reference_to(value)
    if isinstance(value, Mapping):
        return {_key(key, place): input_template(one, place) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [input_template(one, place) for one in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return _scalar(value, place)


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise Unwritable(place, key, "Use strings as keys.")
    return key


def _scalar(value: Any, place: str) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if not _is_json(value):
        raise Unwritable(place, value, "Use JSON values, pydantic models and references.")
    return value


def _is_json(value: object) -> bool:
    """Whether a scalar survives JSON: finite, of 64 bits, and made of whole characters."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or (isinstance(value, int) and -(2**63) <= value < 2**64)


def schema_of(source: Any, place: str) -> dict[str, Any]:
    """The JSON Schema of a pydantic model or another type; a schema is taken as it is."""
    try:
        schema = source if isinstance(source, dict) else TypeAdapter(source).json_schema()
    except PydanticUserError as error:
        remedy = "Use a pydantic model, another type that pydantic knows, or a JSON Schema."
        raise Unwritable(place, source, remedy) from error
    return {key: input_template(value, place) for key, value in schema.items()}


def requirement_of(agent: str | HasContract) -> str:
    """What a stage requires of an agent object: its major version, and its minor unless 0."""
    if isinstance(agent, str):
        return agent
    major, minor, _ = agent.contract.version.split(".", 2)
    return f"{agent.contract.name}@^{major}" + (f".{minor}" if minor != "0" else "")

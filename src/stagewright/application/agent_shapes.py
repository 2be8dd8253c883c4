"""How the values of one side of an agent are checked, read and written.

A shape stands between opaque JSON and what the agent's own code works with. It comes from a type
annotation (anything pydantic understands), from a JSON Schema, or from nothing: any JSON value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Literal, Protocol

import jsonschema_rs
import orjson
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from stagewright.domain.errors import ConfigurationError
from stagewright.domain.schemas import compile_schema, schema_problem

MAX_PROBLEMS = 20

Problem = Mapping[str, Any]
Side = Literal["input", "output"]


class Mismatch(Exception):
    """A value does not have its shape; `problems` have `path` and `message`, never the value.

    It never leaves the runner, where it becomes the errors of a result.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(islice(problems, MAX_PROBLEMS))
        super().__init__(f"{len(self.problems)} problem(s)")


class Shape(Protocol):
    """One side of an agent."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of the JSON values; empty for any."""
        ...

    def read(self, body: bytes) -> Any:
        """Turn JSON into what the agent works with; Mismatch."""
        ...

    def write(self, value: Any) -> Any:
        """Turn what the agent made into a JSON value; Mismatch."""
        ...


class AnyShape:
    """Any JSON value, taken as it is."""

    schema: dict[str, Any] = {}  # noqa: RUF012  # never written to

    def read(self, body: bytes) -> Any:
        """Return the value."""
        return orjson.loads(body)

    def write(self, value: Any) -> Any:
        """Return the value."""
        return value


class TypedShape:
    """What a type annotation says, by pydantic: models, dataclasses, TypedDicts, scalars, ..."""

    def __init__(self, annotation: Any, side: Side) -> None:
        self._adapter = TypeAdapter(annotation)
        mode: Literal["validation", "serialization"] = (
            "validation" if side == "input" else "serialization"
        )
        self.schema = self._adapter.json_schema(mode=mode)

    def read(self, body: bytes) -> Any:
        """Build the typed value by the rules for JSON, so that strict models can take it."""
        try:
            return self._adapter.validate_json(body)
        except ValidationError as error:
            raise Mismatch(_of_pydantic(error)) from None

    def write(self, value: Any) -> Any:
        """Check what was returned and take it apart into JSON values."""
        try:
            checked = self._adapter.validate_python(value)
            return self._adapter.dump_python(checked, mode="json", by_alias=True, warnings="error")
        except ValidationError as error:
            raise Mismatch(_of_pydantic(error)) from None
        except PydanticSerializationError:
            problem = {"path": "", "message": "holds a value that its type does not allow"}
            raise Mismatch([problem]) from None


class SchemaShape:
    """What a JSON Schema says; values stay JSON."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)
        problem = schema_problem(self.schema)
        if problem is not None:
            raise ConfigurationError("schema", problem)
        # Masked, because the library's messages would quote the value.
        self._validator = compile_schema(self.schema, mask="value")

    def read(self, body: bytes) -> Any:
        """Return the value if it has the shape."""
        return self.write(orjson.loads(body))

    def write(self, value: Any) -> Any:
        """Check the value."""
        if not self._validator.is_valid(value):
            raise Mismatch(map(_of_schema, self._validator.iter_errors(value)))
        return value


def shape_of(annotation: Any, side: Side, agent: str) -> Shape:
    """Return the shape of an annotation; ConfigurationError when pydantic cannot understand it."""
    if annotation is Any or annotation is object:
        return AnyShape()
    try:
        return TypedShape(annotation, side)
    except PydanticUserError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"agent {agent}",
            f"its {side} type {annotation!r} cannot be described as JSON: {reason}",
            remedy="Use pydantic models, dataclasses, typing_extensions.TypedDict, dicts, scalars.",
        ) from None


def _of_pydantic(error: ValidationError) -> Iterable[Problem]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return (
        {"path": _path(row["loc"]), "message": row["msg"], "rule": row["type"]} for row in found
    )


def _of_schema(error: jsonschema_rs.ValidationError) -> Problem:
    return {"path": _path(error.instance_path), "message": error.message, "rule": error.kind.name}


def _path(parts: Iterable[Any]) -> str:
    return ".".join(map(str, parts))

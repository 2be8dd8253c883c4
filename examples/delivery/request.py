"""The input of the pipeline: what somebody wants to have built.

The models say what a request may look like (they become the contract of the first agent).
Whether a well-formed request can also be *delivered* is judged by `request_checks`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from examples.delivery.errors import RequestUnreadable

PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A parameter in a path, and the place for its value in the texts of an answer."""

Priority = Literal["critical", "high", "medium", "low"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
FieldType = Literal["text", "email", "integer", "number", "boolean", "date"]
Operation = Literal["create", "list", "read", "update", "delete"]

PRIORITY_LEVELS: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
"""Priorities of requests as levels of the engine: P0 (first) to P3 (last)."""

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
UrlPath = Annotated[
    str,
    StringConstraints(
        pattern=r"^/$|^(/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+$",
        max_length=200,
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(_Strict):
    """What an endpoint answers; `{parameter}` in texts stands for a part of the path."""

    status: int = Field(default=200, ge=200, le=599)
    body: JsonValue = None


class Endpoint(_Strict):
    """One method on one path with the answer it always gives."""

    method: Method = "GET"
    path: UrlPath
    description: str = Field(default="", max_length=300)
    answer: Answer = Answer()


class ResourceField(_Strict):
    """One value of a record, and the rules it obeys. Lengths count characters."""

    name: Identifier
    type: FieldType = "text"
    required: bool = False
    default: JsonValue = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1, le=100_000)
    pattern: str | None = Field(default=None, min_length=1, max_length=200)
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int, ...] = ()


class Resource(_Strict):
    """A table of records with their HTTP operations below `/<name>`."""

    name: Identifier
    description: str = Field(default="", max_length=300)
    fields: tuple[ResourceField, ...] = Field(min_length=1, max_length=40)
    operations: tuple[Operation, ...] = ("create", "list", "read", "update", "delete")
    search: tuple[Identifier, ...] = ()
    examples: tuple[dict[str, JsonValue], ...] = ()


class DeliveryRequest(_Strict):
    """A web service that somebody wants to have, with its requirements in plain sentences."""

    type: Literal["web-service"] = "web-service"
    name: ServiceName = Field(min_length=2, max_length=40)
    description: str = Field(min_length=1, max_length=500)
    priority: Priority = "medium"
    requirements: tuple[str, ...] = Field(default=(), max_length=20)
    endpoints: tuple[Endpoint, ...] = Field(default=(), max_length=50)
    resources: tuple[Resource, ...] = Field(default=(), max_length=10)

    @property
    def package(self) -> str:
        """Name of the Python package of the generated service."""
        return self.name.replace("-", "_")

    @property
    def priority_level(self) -> int:
        """0 (first) to 3 (last), the engine's P0 to P3."""
        return PRIORITY_LEVELS[self.priority]


def filled(body: JsonValue, value: str) -> JsonValue:
    """The body as answered when every parameter of the path is `value`."""
    match body:
        case str():
            return PARAMETER.sub(lambda _: value, body)
        case list():
            return [filled(item, value) for item in body]
        case dict():
            return {key: filled(item, value) for key, item in body.items()}
        case _:
            return body


def read_request(path: Path) -> DeliveryRequest:
    """Read a request from a JSON file; `RequestUnreadable` names every wrong field."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestUnreadable(str(path), (f"file: {error}",)) from error
    try:
        return DeliveryRequest.model_validate_json(text)
    except ValidationError as error:
        raise RequestUnreadable(str(path), tuple(_lines(error))) from error


def _lines(error: ValidationError) -> list[str]:
    return [f"{_field(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False)]


def _field(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".") or "request"

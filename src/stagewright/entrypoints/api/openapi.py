"""The OpenAPI document: what FastAPI finds in the routes, and what it cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field

from stagewright.adapters.http.problems import MEDIA_TYPE
from stagewright.entrypoints.api.access import Scope, scope_of

_DESCRIPTION = (
    "Start, look at and steer workflows. Every change is committed before its answer leaves, and "
    "the answer names how durable that is. Errors are problem documents (RFC 9457)."
)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    pointer: str
    """JSON pointer; empty for the whole."""
    message: str


class Problem(BaseModel):
    """An error (RFC 9457), from the one catalogue of errors."""

    type: str = Field(examples=["urn:stagewright:error:validation-failed"])
    title: str
    status: int = Field(examples=[422])
    detail: str
    remedy: str = Field(description="What to do next.")
    problems: list[FieldProblem]
    exit_code: int = Field(description="What the command line ends with.")
    attributes: dict[str, Any] = {}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title="Stagewright",
            version="1",
            summary="Durable multi-agent workflows",
            description=_DESCRIPTION,
            routes=app.routes,
        )
        _complete(made, app)
        app.openapi_schema = made
    return app.openapi_schema


def _complete(made: dict[str, Any], app: FastAPI) -> None:
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    reference = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(ref_template=reference)
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    declared = dict(_declared(app))
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            _describe(operation, declared.get((path, method)))


def _describe(operation: dict[str, Any], scope: str | None) -> None:
    told = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    operation["responses"].pop("422", None)
    operation["responses"] |= {
        "4XX": {"description": "The request cannot be fulfilled.", **told},
        "5XX": {"description": "The server cannot fulfil it now.", **told},
    }
    if scope is not None:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = scope


def _declared(app: FastAPI) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the scope of each route that needs one."""
    for context in iter_route_contexts(app.routes):
        route = context.route
        if not isinstance(route, APIRoute) or Scope.PUBLIC in map(scope_of, route.dependencies):
            continue
        scopes = [scope for one in route.dependencies if (scope := scope_of(one))]
        for method in route.methods or ():
            # A path that takes slashes is written `{key:path}` for routing and `{key}` for people.
            path = (context.path or "").replace(":path}", "}")
            yield (path, method.lower()), scopes[0].value

"""Routes of definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi import Query as Parameter

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.api.bodies import BoundedRoute
from stagewright.entrypoints.api.dependencies import TheDoor
from stagewright.ports.catalogue import DefinitionDetail, Graph, StartForm, Statistics
from stagewright.ports.control import RegisterRequest
from stagewright.ports.views import DefinitionView

router = APIRouter(prefix="/definitions", tags=["definitions"], route_class=BoundedRoute)

Reference = Annotated[str, Path(max_length=200, description="`NAME`, `NAME@VERSION` or hash.")]
Name = Annotated[str, Path(max_length=63, description="Name of a definition.")]
_READ = [needs(Scope.READ)]


@router.get("", dependencies=_READ)
async def definitions(
    door: TheDoor, name: Annotated[str | None, Parameter(max_length=200)] = None
) -> Sequence[DefinitionView]:
    """Return registered definitions, oldest version first."""
    return await door.queries.definitions(name)


@router.post("", status_code=201, dependencies=[needs(Scope.OPERATE)])
async def register(door: TheDoor, request: RegisterRequest) -> DefinitionView:
    """Check and register a definition."""
    return await door.commands.register(request)


@router.get("/{reference}", dependencies=_READ)
async def definition(door: TheDoor, reference: Reference) -> dict[str, Any]:
    """Return a definition by `NAME`, `NAME@VERSION` or hash."""
    return await door.queries.definition(reference)


@router.get("/{reference}/detail", dependencies=_READ)
async def detail(door: TheDoor, reference: Reference) -> DefinitionDetail:
    """Return a definition with its versions, diagram, graph and start form."""
    return await door.catalogue.described(reference)


@router.get("/{reference}/graph", dependencies=_READ)
async def graph(door: TheDoor, reference: Reference) -> Graph:
    """Return a definition as nodes and edges."""
    return (await door.catalogue.described(reference)).graph


@router.get(
    "/{reference}/diagram",
    dependencies=_READ,
    response_class=Response,
    responses={200: {"content": {"text/vnd.mermaid": {"schema": {"type": "string"}}}}},
)
async def diagram(door: TheDoor, reference: Reference) -> Response:
    """Return a definition as a Mermaid flowchart."""
    found = await door.catalogue.described(reference)
    return Response(found.mermaid, media_type="text/vnd.mermaid")


@router.get("/{reference}/input-schema", dependencies=_READ)
async def input_schema(door: TheDoor, reference: Reference) -> dict[str, Any]:
    """Return the JSON Schema of the input; an empty one accepts any value."""
    return (await door.catalogue.described(reference)).form.json_schema or {}


@router.get("/{reference}/form", dependencies=_READ)
async def form(door: TheDoor, reference: Reference) -> StartForm:
    """Return the form to start a workflow with."""
    return (await door.catalogue.described(reference)).form


@router.get("/{name}/statistics", dependencies=_READ)
async def statistics(door: TheDoor, name: Name) -> Statistics:
    """Return how the newest finished workflows went; says how many it looked at."""
    return await door.catalogue.statistics(name)

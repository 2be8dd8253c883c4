"""A definition as people meet it: drawn as nodes and edges, and as a form to start it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from stagewright.application.sample_input import sample
from stagewright.domain.definition import (
    COMPLETE,
    FAIL,
    TARGETS,
    AgentStage,
    Definition,
    Stage,
)
from stagewright.domain.diagram import drawn
from stagewright.domain.routes import Region, regions
from stagewright.ports.catalogue import FormField, Graph, GraphEdge, GraphNode, StartForm

FIELDS = 100
_LONG = 200
Widget = Literal["text", "textarea", "number", "integer", "checkbox", "select", "list", "json"]


def graph_of(definition: Definition) -> Graph:
    """Return stages as nodes, and routes that are worth a line as edges.

    The ends of a branch are not drawn: it ends inside its group. Failures that only follow the
    failure policy are not drawn either.
    """
    nodes, edges = list[GraphNode](), list[GraphEdge]()
    for region in regions(definition):
        nodes += [_node(region, stage) for stage in region.stages]
        edges += _edges(region)
    used = {edge.target for edge in edges} & TARGETS
    nodes += [GraphNode(id=end, label=end, kind="end") for end in (COMPLETE, FAIL) if end in used]
    return Graph(start=definition.stages[0].name, nodes=nodes, edges=edges)


def _node(region: Region, stage: Stage) -> GraphNode:
    return GraphNode(
        id=stage.name,
        label=stage.name,
        kind=stage.kind,
        group=region.group,
        branch=region.branch,
        agent=stage.agent if isinstance(stage, AgentStage) else None,
        max_visits=stage.max_visits,
        description=stage.description,
    )


def _edges(region: Region) -> Iterator[GraphEdge]:
    place = {stage.name: number for number, stage in enumerate(region.stages)}
    for stage in region.stages:
        for target, outcomes in drawn(region, stage).items():
            if region.group is not None and target in TARGETS:
                continue
            back = place.get(target, len(place)) <= place[stage.name]
            yield GraphEdge(source=stage.name, target=target, outcomes=outcomes, back=back)


def form_of(schema: Mapping[str, Any] | None) -> StartForm:
    """Return a field for each property of an object; none when the input is no plain object."""
    whole = None if schema is None else dict(schema)
    fields = [] if schema is None else list(_fields(schema, schema, "", 2))
    return StartForm(json_schema=whole, fields=fields[:FIELDS], sample=sample(schema))


def _fields(
    schema: Mapping[str, Any], root: Mapping[str, Any], above: str, depth: int
) -> Iterator[FormField]:
    required = set(schema.get("required", ()))
    properties = schema.get("properties")
    for name, given in (properties if isinstance(properties, Mapping) else {}).items():
        inner = _resolved(given, root)
        pointer = f"{above}/{_escaped(name)}"
        if depth > 1 and isinstance(inner.get("properties"), Mapping):
            yield from _fields(inner, root, pointer, depth - 1)
            continue
        yield FormField(
            pointer=pointer,
            label=str(inner.get("title") or name.replace("_", " ").capitalize()),
            widget=_widget(inner),
            required=name in required and "default" not in inner,
            help=str(inner.get("description", "")),
            default=inner.get("default"),
            options=list(inner.get("enum", ())),
            property_schema=dict(inner),
        )


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references within the document, and look through `null` as an alternative."""
    for _ in range(8):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            schema = {**_target(root, str(schema["$ref"])), **_without(schema, "$ref")}
        elif isinstance(choice := _only_choice(schema), Mapping):
            schema = {**choice, **_without(schema, "anyOf")}
        else:
            return schema
    return {}


def _target(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _without(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _only_choice(schema: Mapping[str, Any]) -> Any:
    choices: Sequence[Any] = schema.get("anyOf", ())
    real = [c for c in choices if not (isinstance(c, Mapping) and c.get("type") == "null")]
    return real[0] if len(real) == 1 else None


def _widget(schema: Mapping[str, Any]) -> Widget:
    kind = schema.get("type")
    if schema.get("enum"):
        return "select"
    if kind == "string":
        return "textarea" if int(schema.get("maxLength", 0)) > _LONG else "text"
    if kind == "array" and _resolved(schema.get("items"), schema).get("type") == "string":
        return "list"
    plain: dict[Any, Widget] = {
        "boolean": "checkbox",
        "integer": "integer",
        "number": "number",
    }
    return plain.get(kind, "json") if isinstance(kind, str) else "json"

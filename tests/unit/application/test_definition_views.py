"""A definition drawn as nodes and edges, and as a form."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.application.definition_views import form_of, graph_of
from tests.unit.domain.kernel import agent, approval, define, parallel


def test_routes_become_edges_and_rework_leads_back() -> None:
    graph = graph_of(
        define(agent("plan"), agent("build"), agent("check", on={"rejected": "build"}))
    )
    assert graph.start == "plan"
    edges = [(edge.source, edge.target, edge.outcomes, edge.back) for edge in graph.edges]
    assert ("plan", "build", ["ok"], False) in edges
    assert ("check", "build", ["rejected"], True) in edges
    assert ("check", "complete", ["ok"], False) in edges
    assert [node.id for node in graph.nodes] == ["plan", "build", "check", "complete"]


def test_branches_stand_in_their_group_and_end_inside_it() -> None:
    graph = graph_of(define(parallel("both", [agent("a"), agent("b")], [agent("c")]), agent("d")))
    places = {node.id: (node.group, node.branch) for node in graph.nodes}
    assert places["b"] == ("both", "to-a")
    assert places["d"] == (None, None)
    assert {(edge.source, edge.target) for edge in graph.edges} == {
        ("a", "b"),
        ("both", "d"),
        ("d", "complete"),
    }


def test_a_way_to_failure_that_was_written_is_drawn() -> None:
    graph = graph_of(define(approval("gate", on={"rejected": "fail"})))
    assert ("gate", "fail") in {(edge.source, edge.target) for edge in graph.edges}
    assert {node.id for node in graph.nodes if node.kind == "end"} == {"complete", "fail"}


@pytest.mark.parametrize(
    ("schema", "widget"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "maxLength": 2_000}, "textarea"),
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "checkbox"),
        ({"enum": ["a", "b"]}, "select"),
        ({"type": "array", "items": {"type": "string"}}, "list"),
        ({"type": "array", "items": {"type": "object"}}, "json"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
        ({"$ref": "#/$defs/Kind"}, "select"),
        ({"type": ["string", "null"]}, "json"),
        (True, "json"),
        ({}, "json"),
    ],
)
def test_each_property_has_its_widget(schema: Any, widget: str) -> None:
    whole = {"type": "object", "properties": {"x": schema}, "$defs": {"Kind": {"enum": [1]}}}
    (field,) = form_of(whole).fields
    assert (field.pointer, field.widget) == ("/x", widget)


def test_a_field_says_what_the_schema_says_of_it() -> None:
    schema = {
        "type": "object",
        "required": ["goal", "a/b"],
        "properties": {
            "goal": {"type": "string", "title": "The goal", "description": "In a sentence."},
            "depth": {"type": "integer", "default": 3},
            "a/b": {"type": "object", "properties": {"c_d": {"type": "boolean"}}},
        },
    }
    form = form_of(schema)
    goal, depth, inner = form.fields
    assert (goal.label, goal.help, goal.required) == ("The goal", "In a sentence.", True)
    assert (depth.label, depth.default, depth.required) == ("Depth", 3, False)
    assert (inner.pointer, inner.label) == ("/a~1b/c_d", "C d")
    assert form.json_schema == schema


def test_an_input_of_any_kind_is_one_field_of_json() -> None:
    assert (form_of(None).fields, form_of(None).json_schema) == ([], None)
    assert form_of({"type": "array"}).fields == []

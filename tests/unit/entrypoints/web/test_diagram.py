"""Nodes and edges of a definition."""

from __future__ import annotations

from typing import Any

from stagewright.entrypoints.web.diagram import Edge, diagram_of
from stagewright.ports.views import StageView

DEFINITION: dict[str, Any] = {
    "name": "ship",
    "stages": [
        {"name": "draft", "agent": "write@^1", "max_visits": 2},
        {
            "name": "checks",
            "kind": "parallel",
            "branches": {"lint": [{"name": "lint", "agent": "lint@^1"}]},
        },
        {
            "name": "review",
            "kind": "approval",
            "approvers": ["ann"],
            "on": {"rejected": "draft"},
        },
    ],
}


def test_routes_that_were_written_are_edges_and_those_back_are_told_apart() -> None:
    found = diagram_of(DEFINITION, taken=[("draft", "checks")])
    assert list(found.edges) == [
        Edge("draft", "checks", "", taken=True),
        Edge("checks", "review", ""),
        Edge("review", "complete", ""),
        Edge("review", "draft", "rejected", back=True),
    ]


def test_stages_of_branches_stand_inside_their_group() -> None:
    nodes = {node.id: node for node in diagram_of(DEFINITION).nodes}
    assert (nodes["lint"].parent, nodes["lint"].branch) == ("checks", "lint")
    assert (nodes["checks"].detail, nodes["complete"].kind) == ("join: all", "end")


def test_a_node_shows_what_became_of_its_stage() -> None:
    stages = [
        StageView(name="draft", kind="agent", status="ended", outcome="ok"),
        StageView(name="review", kind="approval", status="active"),
    ]
    nodes = {n.id: n for n in diagram_of(DEFINITION, stages, {"review": "approval"}).nodes}
    assert (nodes["draft"].tone, nodes["draft"].icon) == ("good", "completed")
    assert (nodes["review"].word, nodes["review"].tone) == ("Approval", "ask")


def test_what_is_too_big_to_look_at_is_not_drawn() -> None:
    stages = [{"name": f"s{n}", "agent": "a@^1"} for n in range(301)]
    found = diagram_of({"name": "big", "stages": stages})
    assert found.cut
    assert found.data() == {"nodes": [], "edges": []}

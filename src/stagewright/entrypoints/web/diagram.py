"""The state machine of a definition as nodes and edges, with what a workflow has made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stagewright.domain.definition import (
    APPROVED,
    COMPLETE,
    FAIL,
    OK,
    ApprovalStage,
    Definition,
    Stage,
)
from stagewright.domain.routes import Region, regions, routes, rule_outcomes
from stagewright.entrypoints.web import states
from stagewright.entrypoints.web.states import State
from stagewright.ports.views import StageView

MOST_NODES = 300
"""More cannot be looked at; the table beside it has them all."""


_ENDS = {COMPLETE: states.of_status("completed"), FAIL: states.of_status("failed")}


@dataclass(frozen=True, slots=True)
class Node:
    """A stage, or an end; `parent` is the group around it."""

    id: str
    label: str
    kind: str
    detail: str = ""
    parent: str | None = None
    branch: str = ""
    icon: str = "pending"
    tone: str = "mute"
    word: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where outcomes lead."""

    source: str
    target: str
    label: str
    back: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """All nodes and edges; `cut` when there are too many to draw."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    cut: bool = False

    def data(self) -> dict[str, Any]:
        """Return what the browser draws from."""
        if self.cut:
            return {"nodes": [], "edges": []}
        return {"nodes": [asdict(n) for n in self.nodes], "edges": [asdict(e) for e in self.edges]}


def diagram_of(
    definition: Mapping[str, Any],
    stages: Iterable[StageView] = (),
    waiting: Mapping[str, str] | None = None,
    taken: Iterable[tuple[str, str]] = (),
) -> Diagram:
    """Return the diagram of a definition's JSON; `taken` are the routes that were gone."""
    parsed = Definition.model_validate(definition)
    looks = {stage.name: _look(stage, (waiting or {}).get(stage.name)) for stage in stages}
    nodes, edges, gone = list[Node](), list[Edge](), frozenset(taken)
    for region in regions(parsed):
        nodes += [_node(stage, region, looks) for stage in region.stages]
        found = list(_edges(region, gone))
        edges += found
        nodes += _ends(region, found)
    return Diagram(nodes, edges, len(nodes) > MOST_NODES)


def _look(stage: StageView, waiting: str | None) -> State:
    if stage.status == "active":
        return states.of_waiting(waiting) if waiting else states.ACTIVE
    return states.of_outcome(stage.outcome) if stage.outcome else states.PENDING


def _node(stage: Stage, region: Region, looks: Mapping[str, State]) -> Node:
    look = looks.get(stage.name, states.PENDING)
    return Node(
        id=stage.name,
        label=stage.name,
        kind=stage.kind,
        detail=_detail(stage),
        parent=region.group,
        branch=region.branch or "",
        icon=look.icon,
        tone=look.tone,
        word=look.word if looks else stage.kind,
    )


def _detail(stage: Stage) -> str:
    if stage.kind == "agent":
        return "" if stage.agent.startswith(f"{stage.name}@") else stage.agent
    if stage.kind == "parallel":
        return f"join: {stage.join}"
    if stage.kind == "approval":
        return f"{stage.required} of {', '.join(stage.approvers)}"
    if stage.signal is not None:
        return f"signal {stage.signal}"
    return "until an instant" if stage.until is not None else f"{stage.for_s or 0:g} s"


def _edges(region: Region, gone: frozenset[tuple[str, str]]) -> Iterable[Edge]:
    """Failures that only follow the failure policy are not drawn; ends of branches neither."""
    order = {stage.name: index for index, stage in enumerate(region.stages)}
    table = routes(region.stages)
    for stage in region.stages:
        for target, outcomes in _drawn(stage, table[stage.name]).items():
            if region.group and target in {COMPLETE, FAIL}:
                continue
            plain = set(outcomes) <= {OK, APPROVED}
            back = target in order and order[target] <= order[stage.name]
            taken = (stage.name, target) in gone
            label = "" if plain else ", ".join(outcomes)
            yield Edge(stage.name, target, label, back, taken)


def _drawn(stage: Stage, table: Mapping[str, str]) -> dict[str, list[str]]:
    success = APPROVED if isinstance(stage, ApprovalStage) else OK
    found: dict[str, list[str]] = {}
    for outcome in dict.fromkeys((success, *rule_outcomes(stage), *sorted(stage.on))):
        if outcome in table:
            found.setdefault(table[outcome], []).append(outcome)
    return found


def _ends(region: Region, edges: Sequence[Edge]) -> list[Node]:
    """Return where the workflow's own region may end; the end that was reached has its colour."""
    if region.group:
        return []
    used = {edge.target for edge in edges}
    taken = {edge.target for edge in edges if edge.taken}
    return [
        Node(end, end, "end", icon=look.icon, tone=look.tone if end in taken else "mute")
        for end, look in _ENDS.items()
        if end in used
    ]

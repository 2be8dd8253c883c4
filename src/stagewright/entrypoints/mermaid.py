"""Definitions as Mermaid flowcharts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stagewright.domain.definition import (
    APPROVED,
    COMPLETE,
    FAIL,
    OK,
    Definition,
    ParallelStage,
    Stage,
)
from stagewright.domain.routes import routes

_SHAPES = {
    "agent": ("[", "]"),
    "approval": ("{{", "}}"),
    "wait": ("([", "])"),
}


def flowchart(definition: Definition) -> str:
    """Return the chart: stages, where successes go, and every route that was written."""
    lines = [f"%% {definition.name} {definition.version}", "flowchart TD", "  start((start))"]
    lines.append(f"  start --> {_id(definition.stages[0].name)}")
    lines += [f"  {line}" for line in _region(definition.stages, "")]
    if any(line.endswith(f" {FAIL}_") for line in lines):
        lines.append(f"  {FAIL}_((fail))")
    return "\n".join([*lines, f"  {COMPLETE}_((complete))"]) + "\n"


def _region(stages: Sequence[Stage], branch: str) -> Iterator[str]:
    """A branch's own ends are not drawn: it ends inside its group."""
    table = routes(stages)
    for stage in stages:
        yield from _stage(stage)
        for outcome, target in _edges(stage, table[stage.name]):
            if branch and target in {COMPLETE, FAIL}:
                continue
            label = "" if outcome in {OK, APPROVED} else f"|{outcome}|"
            yield f"{_id(stage.name)} -->{label} {_id(target)}"


def _edges(stage: Stage, table: dict[str, str]) -> Iterator[tuple[str, str]]:
    success = OK if OK in table and stage.kind != "approval" else APPROVED
    for outcome, target in table.items():
        written = outcome in stage.on and outcome not in {OK, APPROVED}
        if outcome == success or written:
            yield outcome, target


def _stage(stage: Stage) -> Iterator[str]:
    if not isinstance(stage, ParallelStage):
        opening, closing = _SHAPES[stage.kind]
        yield f'{_id(stage.name)}{opening}"{stage.name}"{closing}'
        return
    yield f'subgraph {_id(stage.name)}["{stage.name} ({stage.join})"]'
    for branch, inner in stage.branches.items():
        yield f'  subgraph {_id(f"{stage.name}_{branch}")}["{branch}"]'
        yield from (f"    {line}" for line in _region(inner, branch))
        yield "  end"
    yield "end"


def _id(name: str) -> str:
    """Mermaid knows words such as `end`; a trailing underscore keeps names apart from them."""
    return name.replace("-", "_") + "_"

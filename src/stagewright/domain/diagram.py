"""A definition as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator

from stagewright.domain.definition import (
    APPROVED,
    COMPLETE,
    FAIL,
    OK,
    AgentStage,
    ApprovalStage,
    Definition,
    ParallelStage,
    Stage,
    WaitStage,
)
from stagewright.domain.routes import Region, regions, routes, rule_outcomes

_SHAPES = {
    "agent": '["{}"]',
    "approval": '[/"{}"/]',
    "wait": '(["{}"])',
}
_ENDS = {COMPLETE: '(("complete"))', FAIL: '(("fail"))'}


def mermaid(definition: Definition) -> str:
    """The flowchart's text: stages by kind, routes by outcome, groups as boxes around branches.

    Failures that only follow the failure policy are not drawn.
    """
    return "\n".join(("flowchart TD", *_Drawing(definition).lines())) + "\n"


class _Drawing:
    def __init__(self, definition: Definition) -> None:
        self.regions = {(r.group, r.branch): r for r in regions(definition)}
        names = dict.fromkeys(stage.name for stage in definition.every_stage())
        self.ids = {name: f"s{number}" for number, name in enumerate(names, 1)}
        self.numbers = {key: number for number, key in enumerate(self.regions)}

    def lines(self) -> Iterator[str]:
        for line in self._region(self.regions[None, None]):
            yield f"  {line}"

    def _region(self, region: Region) -> Iterator[str]:
        for stage in region.stages:
            if isinstance(stage, ParallelStage):
                yield from self._group(stage)
            else:
                yield self.ids[stage.name] + _SHAPES[stage.kind].format(_label(stage))
        yield from self._edges(region)

    def _group(self, stage: ParallelStage) -> Iterator[str]:
        yield f'subgraph {self.ids[stage.name]}["{_label(stage)}"]'
        for branch in stage.branches:
            key = (stage.name, branch)
            yield f'  subgraph b{self.numbers[key]}["{branch}"]'
            for line in self._region(self.regions[key]):
                yield f"    {line}"
            yield "  end"
        yield "end"

    def _edges(self, region: Region) -> Iterator[str]:
        number = self.numbers[region.group, region.branch]
        used: dict[str, None] = {}
        lines: list[str] = []
        for stage in region.stages:
            for target, outcomes in drawn(region, stage).items():
                label = "" if outcomes == [OK] else f"|{', '.join(outcomes)}|"
                to = self.ids.get(target, f"{target}{number}")
                lines.append(f"{self.ids[stage.name]} -->{label} {to}")
                if target in _ENDS:
                    used[target] = None
        yield from (f"{target}{number}{_ENDS[target]}" for target in sorted(used))
        yield from lines


def drawn(region: Region, stage: Stage) -> dict[str, list[str]]:
    """Return targets with the outcomes worth a line: successes, rules and what was written."""
    table = routes(region.stages)[stage.name]
    success = APPROVED if isinstance(stage, ApprovalStage) else OK
    shown = dict.fromkeys((success, *rule_outcomes(stage), *sorted(stage.on)))
    found: dict[str, list[str]] = {}
    for outcome in shown:
        if outcome in table:
            found.setdefault(table[outcome], []).append(outcome)
    return found


def _label(stage: Stage) -> str:
    details = [_detail(stage)]
    if stage.max_visits is not None:
        details.append(f"at most {stage.max_visits} visits")
    if stage.on_failure != "fail":
        details.append(f"on failure: {stage.on_failure}")
    return "<br/>".join((stage.name, *filter(None, details)))


def _detail(stage: Stage) -> str:
    if isinstance(stage, AgentStage):
        return "" if stage.agent.startswith(f"{stage.name}@") else stage.agent
    if isinstance(stage, ParallelStage):
        return f"join: {stage.join}"
    if isinstance(stage, ApprovalStage):
        return f"{stage.required} of {', '.join(map(_plain, stage.approvers))}"
    return _waits_for(stage)


def _waits_for(stage: WaitStage) -> str:
    if stage.signal is not None:
        return f"signal {stage.signal}"
    return "until an instant" if stage.until is not None else f"{stage.for_s or 0:g} s"


def _plain(text: str) -> str:
    """Without what Mermaid would read as markup or the end of a label."""
    return "".join(c if c.isalnum() or c in " .:@_*-" else " " for c in text)

"""A definition compiled for stepping: machines, templates, rules and lanes, looked up by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from stagewright.domain.definition import (
    COMPLETE,
    AgentStage,
    ApprovalStage,
    Definition,
    ParallelStage,
    Stage,
    WaitStage,
)
from stagewright.domain.machine import Machine
from stagewright.domain.routes import Region, regions, routes
from stagewright.domain.rules import CompiledRule, compile_rule
from stagewright.domain.wiring import Template, compile_template

ROOT = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What the kernel needs to know of a stage."""

    stage: Stage
    region: str
    lane: str
    """`agent@major.minor`; empty for stages without an agent."""
    template: Template | None
    rules: tuple[CompiledRule, ...]
    contract: orjson.Fragment | None
    """The agent's contract as a task carries it; None where it was not checked."""


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """One sequential region: its machine, who contains it, and every stage inside it."""

    name: str
    group: str | None
    branch: str | None
    machine: Machine
    members: frozenset[str]
    """Stages of this region and of the branches inside it."""
    remaining: Mapping[str, int]
    """Stages on the shortest `ok` path from each stage to the end, itself included."""


class Plan:
    """A compiled definition. Compile once per content hash and keep it."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.hash = definition.content_hash
        self.regions: dict[str, RegionPlan] = {}
        self.stages: dict[str, StagePlan] = {}
        self.branches: dict[str, dict[str, str]] = {}
        """Group to branch to region name."""
        for region in regions(definition):
            self._add(region)

    def _add(self, region: Region) -> None:
        name = region_name(region.group, region.branch)
        table = routes(region.stages)
        machine = Machine(region.stages[0].name, table)
        members = frozenset(_names(region.stages))
        self.regions[name] = RegionPlan(
            name, region.group, region.branch, machine, members, _distances(table)
        )
        for stage in region.stages:
            self.stages[stage.name] = self._stage(stage, name)
            if isinstance(stage, ParallelStage):
                self.branches[stage.name] = {b: region_name(stage.name, b) for b in stage.branches}

    def _stage(self, stage: Stage, region: str) -> StagePlan:
        source = getattr(stage, "with_", None)
        if isinstance(stage, ApprovalStage):
            source = stage.show
        elif isinstance(stage, WaitStage):
            source = stage.until
        return StagePlan(
            stage=stage,
            region=region,
            lane=self.lane_of(stage) if isinstance(stage, AgentStage) else "",
            template=None if source is None else compile_template(source),
            rules=tuple(compile_rule(rule) for rule in getattr(stage, "rules", ())),
            contract=self._contract(stage) if isinstance(stage, AgentStage) else None,
        )

    def _contract(self, stage: AgentStage) -> orjson.Fragment | None:
        contract = self.definition.contracts.get(stage.agent.partition("@")[0])
        if contract is None:
            return None
        return orjson.Fragment(orjson.dumps(contract.model_dump(), option=orjson.OPT_SORT_KEYS))

    def lane_of(self, stage: AgentStage) -> str:
        """Return `agent@major.minor`; unchecked contracts ask for the least of their major."""
        name, _, version = stage.agent.partition("@^")
        contract = self.definition.contracts.get(name)
        level = contract.level if contract else (version if "." in version else f"{version}.0")
        return f"{name}@{level}"


def region_name(group: str | None, branch: str | None) -> str:
    """Return "" for the workflow's own region, `group/branch` for a branch."""
    return ROOT if group is None else f"{group}/{branch}"


def _names(stages: tuple[Stage, ...]) -> list[str]:
    found: list[str] = []
    for stage in stages:
        found.append(stage.name)
        if isinstance(stage, ParallelStage):
            for branch in stage.branches.values():
                found.extend(_names(branch))
    return found


def _distances(table: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Count the stages from each stage to `complete` along `ok`, or to where that is cut off."""
    found: dict[str, int] = {}
    for start in table:
        count, at, seen = 0, start, set[str]()
        while at in table and at not in seen:
            seen.add(at)
            count, at = count + 1, table[at].get("ok") or table[at].get("approved") or COMPLETE
        found[start] = count
    return found

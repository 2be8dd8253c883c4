"""A definition compiled for stepping."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.definition import AgentStage
from stagewright.domain.plan import ROOT, Plan
from tests.unit.domain.kernel import agent, approval, define, parallel, wait

CONTRACT = {"agent": "build", "version": "1.3.2", "hash": "0" * 64}


def plan(*stages: dict[str, Any], **fields: Any) -> Plan:
    return Plan(define(*stages, **fields))


def test_a_plan_is_known_by_the_content_of_its_definition() -> None:
    definition = define(agent("build"))
    assert Plan(definition).hash == definition.content_hash


def test_every_stage_knows_its_region_and_every_region_its_group() -> None:
    found = plan(agent("a"), parallel("fan", [agent("b"), agent("c")], [agent("d")]))
    assert {name: stage.region for name, stage in found.stages.items()} == {
        "a": ROOT,
        "fan": ROOT,
        "b": "fan/to-b",
        "c": "fan/to-b",
        "d": "fan/to-d",
    }
    assert (found.regions["fan/to-d"].group, found.regions["fan/to-d"].branch) == ("fan", "to-d")
    assert found.branches == {"fan": {"to-b": "fan/to-b", "to-d": "fan/to-d"}}


def test_the_members_of_a_region_include_the_branches_inside_it() -> None:
    inner = parallel("inner", [agent("x")], [agent("y")])
    found = plan(parallel("outer", [inner, agent("z")], [agent("w")]))
    assert found.regions["outer/to-inner"].members == {"inner", "x", "y", "z"}
    assert found.regions[ROOT].members == found.stages.keys()


@pytest.mark.parametrize(
    ("requirement", "contracts", "lane"),
    [
        ("build@^1", {}, "build@1.0"),
        ("build@^1.2", {}, "build@1.2"),
        ("build", {}, "build@1.0"),
        ("build@^1", {"build": CONTRACT}, "build@1.3"),
    ],
)
def test_a_lane_is_the_agent_and_the_level_of_its_contract(
    requirement: str, contracts: dict[str, Any], lane: str
) -> None:
    found = plan({"name": "s", "agent": requirement}, contracts=contracts)
    assert found.stages["s"].lane == lane
    stage = found.stages["s"].stage
    assert isinstance(stage, AgentStage)
    assert found.lane_of(stage) == lane


def test_only_agents_have_lanes() -> None:
    found = plan(approval("sign"), wait("nap", for_s=1))
    assert {stage.lane for stage in found.stages.values()} == {""}


def test_templates_are_compiled_where_a_stage_has_one() -> None:
    found = plan(
        agent("a", **{"with": {"n": {"from": "input.n"}}}),
        agent("b"),
        approval("c", show={"from": "stages.a.output"}),
        wait("d", until={"from": "input.at"}),
        wait("e", signal="s"),
    )
    filled = {name for name, stage in found.stages.items() if stage.template is not None}
    assert filled == {"a", "c", "d"}


def test_rules_are_compiled() -> None:
    found = plan(agent("a", rules=[{"when": "visit > 1", "outcome": "late"}], on={"late": "fail"}))
    (rule,) = found.stages["a"].rules
    assert rule.rule.outcome == "late"


def test_what_remains_is_counted_along_ok() -> None:
    found = plan(
        agent("a"),
        agent("b", on={"ok": "d", "bad": "c"}),
        agent("c"),
        approval("d"),
        agent("e"),
    )
    assert found.regions[ROOT].remaining == {"a": 4, "b": 3, "c": 3, "d": 2, "e": 1}


def test_what_remains_of_a_loop_along_ok_is_counted_once() -> None:
    found = plan(agent("a"), agent("b", on={"ok": "a", "done": "complete"}))
    assert found.regions[ROOT].remaining == {"a": 2, "b": 2}

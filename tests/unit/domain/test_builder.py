from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from stagewright.domain.builder import (
    Retry,
    Stageable,
    Workflow,
    approval,
    parallel,
    rule,
    stage,
    wait,
)
from stagewright.domain.contracts import Contract
from stagewright.domain.definition import Rule
from stagewright.domain.errors import DefinitionError
from stagewright.domain.parsing import parse_definition

from .definitions import NUMBER, TEXT, fields


class Agent(Stageable):
    def __init__(self, name: str, version: str = "1.0.0", **others: Any) -> None:
        self.contract = Contract(name=name, version=version, **others)


class Request(BaseModel):
    title: str


def yaml(*stages: dict[str, Any], **others: Any) -> Any:
    return parse_definition({"name": "example", "stages": list(stages), **others})


def python(*stages: Any, **others: Any) -> Any:
    return Workflow("example", *stages, **others).definition


def problem(build: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(DefinitionError) as caught:
        build()
    (found,) = caught.value.found
    return found.message, found.remedy


def test_names_alone_are_enough() -> None:
    assert python(stage("a")) == yaml({"name": "a", "agent": "a@^1"})


def test_every_field_of_a_workflow_has_its_yaml_twin() -> None:
    others: dict[str, Any] = {
        "version": "1.2.0",
        "description": "Builds.",
        "deadline_s": 60,
        "labels": {"team": "a"},
        "priority": "P1",
        "input": fields(title=TEXT),
    }
    assert python(stage("a"), **others) == yaml({"name": "a", "agent": "a"}, **others)


def test_every_field_of_an_agent_stage_has_its_yaml_twin() -> None:
    built = stage(
        "a",
        "worker@^1.2",
        with_={"n": 1},
        on={"ok": "complete"},
        retry=Retry(attempts=5, not_on=("Refused",)),
        timeout_s=5,
        max_visits=2,
        rules=[rule("visit > 1", "ok"), Rule(when="visit > 2", outcome="failed")],
        repairs=0,
        on_failure="hold",
        description="Works.",
    )
    assert python(built) == yaml(
        {
            "name": "a",
            "agent": "worker@^1.2",
            "with": {"n": 1},
            "on": {"ok": "complete"},
            "retry": {"attempts": 5, "not_on": ["Refused"]},
            "timeout_s": 5,
            "max_visits": 2,
            "rules": [
                {"when": "visit > 1", "outcome": "ok"},
                {"when": "visit > 2", "outcome": "failed"},
            ],
            "repairs": 0,
            "on_failure": "hold",
            "description": "Works.",
        }
    )


def test_groups_take_branches_by_keyword_and_by_name() -> None:
    built = parallel(
        "g",
        "quorum:2",
        branches={"left-most": stage("a")},
        right=[stage("b"), stage("c")],
        rules=[rule("visit > 1", "late")],
        on={"late": "fail"},
    )
    assert python(built) == yaml(
        {
            "name": "g",
            "kind": "parallel",
            "join": "quorum:2",
            "branches": {
                "left-most": [{"name": "a", "agent": "a"}],
                "right": [{"name": "b", "agent": "b"}, {"name": "c", "agent": "c"}],
            },
            "rules": [{"when": "visit > 1", "outcome": "late"}],
            "on": {"late": "fail"},
        }
    )


def test_approvals_show_references_and_take_models_as_forms() -> None:
    built = approval(
        "sign",
        approvers="ann",
        required=1,
        show={"what": Workflow.input.title},
        form=Request,
        timeout_s=60,
        on={"timeout": "fail"},
    )
    assert python(built) == yaml(
        {
            "name": "sign",
            "kind": "approval",
            "approvers": ["ann"],
            "required": 1,
            "show": {"what": {"from": "input.title"}},
            "form": Request.model_json_schema(),
            "timeout_s": 60,
            "on": {"timeout": "fail"},
        }
    )


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"for_s": 5}, {"for_s": 5}),
        ({"signal": "go", "timeout_s": 5}, {"signal": "go", "timeout_s": 5}),
        ({"until": datetime(2030, 1, 1, tzinfo=UTC)}, {"until": "2030-01-01T00:00:00+00:00"}),
        ({"until": Workflow.input.at}, {"until": {"from": "input.at"}}),
    ],
)
def test_waits_have_their_yaml_twins(given: dict[str, Any], written: dict[str, Any]) -> None:
    assert python(wait("w", **given)) == yaml({"name": "w", "kind": "wait", **written})


def test_routes_lead_to_objects_and_names_also_forwards() -> None:
    a, b = stage("a", with_=1, max_visits=2), stage("b", with_=2)
    built = python(a.on(ok=b, skip="b"), b.on(again=a, ok="complete"))
    assert [one.on for one in built.stages] == [
        {"ok": "b", "skip": "b"},
        {"again": "a", "ok": "complete"},
    ]


def test_agents_stand_for_stages_of_their_name() -> None:
    a, b = Agent("a", outcomes=("rework",)), Agent("b", "1.2.0")
    built = python(stage(a, max_visits=2, on={"rework": a}), b.on(done="complete"))
    assert [(one.name, one.agent) for one in built.stages] == [("a", "a@^1"), ("b", "b@^1.2")]
    assert python(a.on(rework="complete"), b).stages[1].name == "b"


def test_references_write_themselves_down() -> None:
    a, b = stage("a"), Agent("b")
    template = {
        "file": a.output.files[0]["path-name"],
        "why": b.errors,
        "whole": b.output,
        "of": (Workflow.input["title"],),
        "model": Request(title="x"),
    }
    (_, last) = python(a, stage("c", with_={"only": a.output.x})).stages
    assert last.with_ == {"only": {"from": "stages.a.output.x"}}
    written = stage("d", with_=template).data()["with"]
    assert written == {
        "file": {"from": "stages.a.output.files.0.path-name"},
        "why": {"from": "stages.b.errors"},
        "whole": {"from": "stages.b.output"},
        "of": [{"from": "input.title"}],
        "model": {"title": "x"},
    }


def test_a_reference_is_no_sequence_and_no_hidden_names() -> None:
    with pytest.raises(TypeError):
        list(Workflow.input)
    with pytest.raises(AttributeError):
        _ = Workflow.input._private


def test_a_workflow_knows_its_agents_also_inside_branches() -> None:
    a, b = Agent("a"), Agent("b")
    workflow = Workflow("example", a, parallel("g", left=b), stage("again", agent=a))
    assert workflow.agents == (a, b)
    assert set(workflow.contracts) == {"a", "b"}


def test_contracts_of_its_agents_are_checked() -> None:
    giver, taker = Agent("a", output=fields(x=TEXT)), Agent("b", input=fields(x=NUMBER))
    message, _ = problem(lambda: python(giver, taker))
    assert message == (
        "b@1.0.0 cannot take the output of 'a': x is string, but number is expected."
    )


def test_an_input_may_be_any_type_that_has_a_schema() -> None:
    assert python(stage("a"), input=list[int]).input == {
        "type": "array",
        "items": {"type": "integer"},
    }


@pytest.mark.parametrize(
    ("build", "message", "remedy"),
    [
        (
            lambda: Workflow("example", 3),
            "3 is neither a stage nor an agent.",
            "Use stage(...), parallel(...), approval(...), wait(...) or an @agent function.",
        ),
        (
            lambda: parallel("g", branches={"left": stage("a")}, left=stage("b")),
            "Branch 'left' stands twice.",
            "Rename one of the two.",
        ),
        (
            lambda: python(stage("a", on={"ok": 3})),
            "a route of stage a has 3 (int), which cannot be written down.",
            "Route to a stage, its name, 'complete' or 'fail'.",
        ),
        (
            lambda: python(stage("a", with_={"x": {1}})),
            "with_= of stage a has {1} (set), which cannot be written down.",
            "Use JSON values, pydantic models and references.",
        ),
        (
            lambda: python(stage("a", with_={1: "x"})),
            "with_= of stage a has 1 (int), which cannot be written down.",
            "Use strings as keys.",
        ),
        (
            lambda: python(stage("a"), input=object()),
            None,
            "Use a pydantic model, another type that pydantic knows, or a JSON Schema.",
        ),
        (
            python,
            "There are no stages, so there is no start.",
            "List at least one stage under `stages:`; the first one is the start.",
        ),
    ],
)
def test_what_cannot_be_written_down_says_so(build: Any, message: str | None, remedy: str) -> None:
    found = problem(build)
    assert found[1] == remedy
    assert message is None or found[0] == message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, -(2**63) - 1, "\ud800"])
def test_values_that_json_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(DefinitionError, match="cannot be written down"):
        python(stage("a", with_=[value]))


def test_nothing_is_checked_before_the_definition_is_read() -> None:
    workflow = Workflow("example", stage("a", on={"ok": "nowhere"}))
    with pytest.raises(DefinitionError, match="'nowhere', which does not exist"):
        _ = workflow.definition


def test_builders_show_what_they_are() -> None:
    assert repr(stage("a")) == "<stage a>"
    assert repr(Workflow("example", stage("a"))) == "<workflow example>"
    assert repr(stage("a").output.x) == "stages.a.output.x"


def test_a_retry_may_be_given_as_a_mapping() -> None:
    flow = Workflow("job", stage("build", retry={"attempts": 5}))
    assert flow.definition.stages[0].retry.attempts == 5  # type: ignore[union-attr]
    with pytest.raises(DefinitionError, match="attempts"):
        _ = Workflow("job", stage("build", retry={"attempts": 0})).definition

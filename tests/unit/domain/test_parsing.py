from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.errors import DefinitionError, Problem
from stagewright.domain.parsing import parse_definition

from .definitions import approval, group, wait, work


def found(data: object) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(data)
    return list(caught.value.found)


def only(*stages: Any, **others: Any) -> Problem:
    (problem,) = found({"name": "example", "stages": list(stages), **others})
    return problem


START = "There are no stages, so there is no start."
NAME = "Use lower case letters, digits, - and _, at most 63, starting with a letter."
LABEL = "Use lower case letters, digits and _, at most 63, starting with a letter."

MALFORMED: dict[str, tuple[Any, str | None, str, str, str]] = {
    "an unknown field": (
        work("a", timeout=3),
        "a",
        (
            "Field `timeout` is not known here. Known: agent, description, kind, max_visits, name,"
            " on, on_failure, repairs, retry, rules, timeout_s, with."
        ),
        "Did you mean 'timeout_s'?",
        "stages.0.timeout",
    ),
    "an unknown field of retry": (
        work("a", retry={"zzz": 3}),
        "a",
        "Field `zzz` is not known here. Known: attempts, delay_s, factor, max_delay_s, not_on.",
        "Use one of these names.",
        "stages.0.retry.zzz",
    ),
    "an unknown kind": (
        {"name": "a", "kind": "aproval"},
        "a",
        "Kind 'aproval' is not known. Known: agent, approval, parallel, wait.",
        "Did you mean 'approval'?",
        "stages.0",
    ),
    "a missing field": (
        {"name": "a"},
        "a",
        "Field `agent` is missing.",
        "Add it.",
        "stages.0.agent",
    ),
    "a stage without a name": (
        {"agent": "a"},
        "stages.0",
        "Field `name` is missing.",
        "Add it.",
        "stages.0.name",
    ),
    "a malformed name": (
        work("Build It", agent="build"),
        "Build It",
        "`name` has 'Build It', which is not well formed.",
        NAME,
        "stages.0.name",
    ),
    "a malformed outcome": (
        work("a", on={"re work": "complete"}),
        "a",
        "`on` has 're work', which is not well formed.",
        LABEL,
        "stages.0.on.re work.[key]",
    ),
    "a malformed agent": (
        work("a", agent="a@1"),
        "a",
        "`agent` has 'a@1', which is not well formed.",
        "Write NAME@^MAJOR or NAME@^MAJOR.MINOR, as in scaffold@^1.",
        "stages.0.agent",
    ),
    "a malformed join": (
        group("g", join="most", left=[work("a")]),
        "g",
        "`join` has 'most', which is not well formed.",
        "Write all, any or quorum:N.",
        "stages.0.join",
    ),
    "a value inside a branch": (
        group("g", left=[work("a"), work("b", timeout_s=-1)]),
        "b",
        "`timeout_s` is -1. Input should be greater than 0.",
        "Correct the value.",
        "stages.0.branches.left.1.timeout_s",
    ),
    "no approvers": (
        approval("a", approvers=[]),
        "a",
        "`approvers` is a list. Tuple should have at least 1 item after validation, not 0.",
        "Correct the value.",
        "stages.0.approvers",
    ),
    "a wait that is no number": (
        wait("a", for_s="soon"),
        "a",
        "`for_s` is 'soon'. Input should be a valid number, unable to parse string as a number.",
        "Correct the value.",
        "stages.0.for_s",
    ),
    "a stage that is no mapping": (
        5,
        "stages.0",
        "A mapping is expected, but this is a number.",
        "Write fields with values, as in `name: x`.",
        "stages.0",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_told_by_stage_field_remedy_and_place(case: str) -> None:
    stage, name, message, remedy, path = MALFORMED[case]
    assert only(stage) == Problem(name, message, remedy, path)


@pytest.mark.parametrize("data", [{"name": "n"}, {"name": "n", "stages": []}])
def test_a_missing_start_is_an_error(data: dict[str, Any]) -> None:
    (problem,) = found(data)
    assert (problem.stage, problem.message, problem.path) == (None, START, "stages")
    assert problem.remedy.startswith("List at least one stage under `stages:`")


@pytest.mark.parametrize(("data", "what"), [(None, "nothing"), ([], "a list"), ("x", "text")])
def test_a_definition_must_be_a_mapping(data: object, what: str) -> None:
    (problem,) = found(data)
    assert problem.message == f"A definition is a mapping, but this is {what}."
    assert problem.remedy == "Start with `name:` and `stages:`."


def test_a_malformed_version_shows_a_good_one() -> None:
    assert only(work("a"), version="1").remedy == "Write a semantic version, as in 1.0.0."


def test_all_problems_are_told_at_once_and_no_consequence() -> None:
    stages = [work("a", x=1), work("b", y=2)]
    paths = [one.path for one in found({"name": "n", "stages": stages, "z": 3})]
    assert paths == ["stages.0.x", "stages.1.y", "z"]


def test_the_source_stands_in_for_a_missing_name() -> None:
    with pytest.raises(DefinitionError, match=r"^Definition flow\.yaml: 1 problem"):
        parse_definition({"stages": [work("a")]}, source="flow.yaml")


@pytest.mark.parametrize(("written", "priority"), [("P0", 0), ("P3", 3), (1, 1)])
def test_a_priority_is_a_number_or_p_and_a_number(written: Any, priority: int) -> None:
    data = {"name": "n", "stages": [work("a")], "priority": written}
    assert parse_definition(data).priority == priority


def test_a_priority_beyond_three_is_an_error() -> None:
    assert only(work("a"), priority="P4").path == "priority"

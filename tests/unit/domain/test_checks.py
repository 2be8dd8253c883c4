from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.checks import require_sound
from stagewright.domain.errors import DefinitionError

from .definitions import (
    NUMBER,
    TEXT,
    approval,
    contract,
    definition,
    fields,
    group,
    only_problem,
    problems,
    wait,
    work,
)


def rule(when: str, outcome: str) -> dict[str, str]:
    return {"when": when, "outcome": outcome}


LOAD_ERRORS: dict[str, tuple[list[dict[str, Any]], str, str, str, str]] = {
    "an unknown target": (
        [work("build", on={"ok": "tset"}), work("test")],
        "build",
        "Outcome 'ok' leads to 'tset', which does not exist. Known: build, complete, fail, test.",
        "Did you mean 'test'?",
        "stages.0.on.ok",
    ),
    "a target outside of the branch": (
        [group("both", left=[work("a", on={"failed": "c"})], right=[work("b")]), work("c")],
        "a",
        "Outcome 'failed' leads to 'c', which is not in the same branch. Known: a, complete, fail.",
        "Routes stay inside their branch: end it with complete or fail and route the group.",
        "stages.0.branches.left.0.on.failed",
    ),
    "an unreachable stage": (
        [work("a", on={"ok": "complete"}), work("b")],
        "b",
        "No route reaches it from 'a', where its part starts.",
        "Route an outcome to it, or remove it.",
        "stages.1",
    ),
    "a rule's outcome without a route": (
        [work("a", rules=[rule("true", "rework")])],
        "a",
        (
            "Outcome 'rework' has no route. Routed: approved, exhausted, failed, invalid, ok,"
            " rejected, timeout."
        ),
        "Add `rework: STAGE` (or complete, or fail) to its `on:`.",
        "stages.0.on",
    ),
    "a loop without max_visits": (
        [work("a", with_=1), work("b", on={"rework": "a"})],
        "a",
        "The loop a -> b -> a has no bound.",
        "Set max_visits on one of its stages, for example 'a'.",
        "stages.0",
    ),
    "a loop that goes on when exhausted": (
        [
            work("a", with_=1, max_visits=2, on_failure="skip"),
            work("b", on={"rework": "a"}),
        ],
        "a",
        "The loop a -> b -> a goes on after max_visits of 'a' is used up.",
        "Route exhausted of 'a' out of the loop.",
        "stages.0",
    ),
    "duplicate names": (
        [work("a"), group("both", left=[work("a")])],
        "a",
        "2 stages have the name 'a'.",
        "Rename all but one: names are unique in the whole definition, with branches.",
        "stages.0",
    ),
    "a reserved name": (
        [work("complete")],
        "complete",
        "The name 'complete' is reserved.",
        "Rename it: complete and fail are where routes end.",
        "stages.0",
    ),
    "a branch without a start": (
        [group("both", left=[])],
        "both",
        "Branch 'left' has no stages, so it has no start.",
        "List at least one stage in it; the first one is its start.",
        "stages.0.branches.left",
    ),
    "an outcome that cannot occur": (
        [wait("pause", for_s=1, on={"rejected": "fail"})],
        "pause",
        "Outcome 'rejected' cannot occur. Possible: ok.",
        "Remove the route.",
        "stages.0.on.rejected",
    ),
    "a timeout that cannot occur": (
        [approval("sign", on={"timeout": "fail"})],
        "sign",
        "Outcome 'timeout' cannot occur. Possible: approved, ok, rejected.",
        "Remove the route, or set timeout_s.",
        "stages.0.on.timeout",
    ),
    "an unknown name in a rule": (
        [work("a", rules=[rule("outputs.x > 1", "ok")])],
        "a",
        "Rule 'outputs.x > 1': unknown name outputs.",
        "Known names: input, output, visit.",
        "stages.0.rules.0.when",
    ),
    "a quorum larger than the group": (
        [group("both", join="quorum:3", left=[work("a")], right=[work("b")])],
        "both",
        "`quorum:3` needs more branches than there are (2).",
        "Use quorum:2 or less, or add branches.",
        "stages.0.join",
    ),
    "more approvals than people": (
        [approval("sign", approvers=["ann", "bob"], required=3)],
        "sign",
        "3 approvals are required of 2 approver(s).",
        "Name more approvers, write groups as group:NAME, or lower `required`.",
        "stages.0.required",
    ),
    "a wait for nothing": (
        [wait("pause")],
        "pause",
        "It waits for nothing.",
        "Give exactly one of for_s, until and signal.",
        "stages.0",
    ),
    "a wait for two things": (
        [wait("pause", for_s=1, signal="go")],
        "pause",
        "It waits for for_s and signal.",
        "Give exactly one of for_s, until and signal.",
        "stages.0",
    ),
    "a timeout of a timer": (
        [wait("pause", for_s=1, timeout_s=2)],
        "pause",
        "`timeout_s` has no meaning for a wait with for_s.",
        "Remove it.",
        "stages.0.timeout_s",
    ),
    "an unreadable instant": (
        [wait("pause", until="tomorrow")],
        "pause",
        "`until` is 'tomorrow', which is no instant.",
        "Write RFC 3339, as in 2030-01-31T09:00:00Z, or {from: input.FIELD}.",
        "stages.0.until",
    ),
    "a form that is no schema": (
        [approval("sign", form={"minimum": "a"})],
        "sign",
        '`form` is not a JSON Schema: at minimum: "a" is not of type "number".',
        "Write a JSON Schema (draft 2020-12).",
        "stages.0.form",
    ),
    "a reference that cannot be read": (
        [work("a", with_={"x": [{"from": "inputs.y"}]})],
        "a",
        "Reference 'inputs.y': starts with 'inputs', not with input or stages.",
        "Write input.FIELD, stages.NAME.output.FIELD or stages.NAME.errors.",
        "stages.0.with.x.0",
    ),
    "a reference to an unknown stage": (
        [work("build"), work("test", with_={"from": "stages.biuld.output"})],
        "test",
        (
            "Reference 'stages.biuld.output' names stage 'biuld', which does not exist."
            " Known: build, test."
        ),
        "Did you mean 'build'?",
        "stages.1.with",
    ),
    "a reference into a branch": (
        [
            group("both", left=[work("a")]),
            work("b", with_={"x": {"from": "stages.a.output.y"}}),
        ],
        "b",
        "Reference 'stages.a.output.y' names stage 'a', which is inside another branch.",
        "Read the group: stages.both.output.left.output.",
        "stages.1.with.x",
    ),
    "a reference to a branch that is none": (
        [
            group("both", left=[work("a")]),
            approval("sign", show={"from": "stages.both.output.lft"}),
        ],
        "sign",
        "Reference 'stages.both.output.lft' reads 'lft', which is not there. There are: left.",
        "Read one of these.",
        "stages.1.show",
    ),
    "an instant that may be missing": (
        [
            work("a", on={"failed": "pause"}),
            wait("pause", until={"from": "stages.a.output.at"}),
        ],
        "pause",
        "Reference 'stages.a.output.at' is null when 'a' was not visited, or gave nothing.",
        "Let its agent accept null there, or route every path through 'a'.",
        "stages.1.until",
    ),
    "several predecessors": (
        [work("a", on={"plan_b": "c"}), work("b"), work("c")],
        "c",
        "Its input is the output of 'a' or the output of 'b', and its contract is not known.",
        "Say with `with:` what it is given.",
        "stages.2.with",
    ),
}


@pytest.mark.parametrize("case", LOAD_ERRORS)
def test_a_load_error_names_stage_what_is_known_remedy_and_place(case: str) -> None:
    stages, stage, message, remedy, path = LOAD_ERRORS[case]
    found = only_problem(*stages)
    assert (found.stage, found.message, found.remedy, found.path) == (stage, message, remedy, path)


def test_a_workflow_that_cannot_complete_is_an_error() -> None:
    found = only_problem(work("a", on={"ok": "fail"}))
    assert found.message == "No route leads to complete, so the workflow can never succeed."
    assert found.remedy == "Route an outcome to complete, for example ok of 'a'."


def test_a_branch_that_cannot_complete_names_the_group() -> None:
    found = only_problem(group("both", left=[work("a", on={"ok": "fail"})]))
    assert found.stage == "both"
    assert found.message == "No route leads to complete, so branch 'left' can never succeed."


def test_an_input_that_is_no_schema_is_an_error_of_the_whole() -> None:
    found = only_problem(work("a"), input={"properties": 3})
    assert (found.stage, found.path) == (None, "input")
    assert 'at properties: 3 is not of type "object"' in found.message


def test_a_schema_may_not_reach_outside() -> None:
    found = only_problem(work("a"), input={"$ref": "file:///etc/hostname"})
    assert "lies outside of this schema; put it under $defs" in found.message


def test_a_misspelt_target_brings_no_other_complaints() -> None:
    assert len(problems(work("a", on={"ok": "b"}), work("c"))) == 1


@pytest.mark.parametrize(
    "stages",
    [
        [work("a")],
        [work("a", with_={"from": "input"}, max_visits=3), work("b", on={"rework": "a"})],
        [approval("sign", approvers=["group:leads"], required=3)],
        [approval("sign", approvers=["*"], required=3)],
        [approval("sign", on={"approved": "b", "rejected": "fail"}), work("b")],
        [work("a", on={"anything_at_all": "complete"})],
        [work("a", rules=[rule("visit > 1", "failed")], on_failure="hold")],
        [wait("pause", until={"from": "input.at"})],
        [wait("pause", until="2030-01-31T09:00:00+01:00")],
        [wait("go", signal="go", timeout_s=5, on={"timeout": "fail"})],
        [group("both", join="quorum:2", left=[work("a")], right=[work("b")]), work("c")],
        [work("a"), group("both", left=[work("b", with_={"from": "stages.a.output"})])],
        [
            work("a", with_=1, max_visits=2, on={"exhausted": "c"}),
            work("b", on={"again": "a"}),
            work("c", with_=1),
        ],
    ],
)
def test_what_makes_sense_brings_no_complaint(stages: list[dict[str, Any]]) -> None:
    assert problems(*stages) == []


def test_a_sound_definition_is_handed_back() -> None:
    sound = definition(work("a"))
    assert require_sound(sound) is sound


def test_an_unsound_definition_raises_with_every_problem() -> None:
    with pytest.raises(DefinitionError) as caught:
        require_sound(definition(work("a", on={"ok": "x", "failed": "y"})))
    assert len(caught.value.found) == 2
    assert caught.value.exit_code == 5
    assert str(caught.value).startswith("Definition example: 2 problem(s)\n- stage a: Outcome")


# --- with contracts -----------------------------------------------------------------------------


def test_neighbours_that_cannot_fit_are_an_error() -> None:
    found = only_problem(
        work("a"),
        work("b"),
        contracts=[contract("a", {}, fields(plan=TEXT)), contract("b", fields(code=TEXT))],
    )
    assert found.stage == "b"
    assert found.message == (
        "b@1.0.0 cannot take the output of 'a': required field code is absent (there are: plan)."
    )
    assert found.remedy == "Say with `with:` what it is given, or change one of the two contracts."


def test_the_first_stage_must_fit_the_input() -> None:
    contracts = [contract("a", fields(n=NUMBER))]
    found = only_problem(work("a"), contracts=contracts, input=fields(n=TEXT))
    assert found.message == (
        "a@1.0.0 cannot take the workflow's input: n is string, but number is expected."
    )


def test_the_first_stage_of_a_branch_must_fit_what_the_group_is_given() -> None:
    contracts = [contract("b", fields(n=NUMBER)), contract("a", {}, fields(n=TEXT))]
    found = only_problem(work("a"), group("both", left=[work("b")]), contracts=contracts)
    assert (found.stage, found.path) == ("b", "stages.1.branches.left.0.with")


def test_a_template_must_fit_the_contract() -> None:
    template = {"n": {"from": "input.title"}}
    contracts = [contract("a", fields(n=NUMBER, m=TEXT))]
    found = only_problem(work("a", with_=template), contracts=contracts, input=fields(title=TEXT))
    assert found.message == (
        "a@1.0.0 cannot take what `with:` gives: n is string, but number is expected;"
        " required field m is absent (there are: n)."
    )


def test_what_a_failed_stage_hands_on_is_null() -> None:
    contracts = [contract("cleanup", fields(n=NUMBER))]
    stages = [work("a", on={"failed": "cleanup", "ok": "complete"}), work("cleanup")]
    found = only_problem(*stages, contracts=contracts)
    assert "the output of 'a': the value is null, but object is expected" in found.message


def test_a_skipped_stage_may_hand_on_null() -> None:
    contracts = [contract("a", {}, fields(n=NUMBER)), contract("b", fields(n=NUMBER))]
    found = only_problem(work("a", on_failure="skip"), work("b"), contracts=contracts)
    assert "null when that stage gave nothing, and null is not accepted" in found.message


def test_an_approval_hands_on_the_decision() -> None:
    contracts = [contract("a", fields(decision=NUMBER))]
    found = only_problem(approval("sign"), work("a"), contracts=contracts)
    assert "decision is string, but number is expected" in found.message


def test_several_predecessors_are_fine_when_all_of_them_fit() -> None:
    shape = fields(n=NUMBER)
    contracts = [contract("a", shape, shape), contract("b", shape, shape)]
    stages = [work("a", max_visits=2), work("b", on={"rework": "a"})]
    assert problems(*stages, contracts=contracts, input=shape) == []


def test_a_reference_that_may_be_unfilled_needs_a_target_that_accepts_null() -> None:
    stages = [
        work("a", max_visits=2, with_={"review": {"from": "stages.b.output.text"}}),
        work("b", with_=1, on={"rework": "a"}),
    ]
    strict = contract("a", fields(review=TEXT))
    lenient = contract("a", fields(review={"type": ["string", "null"]}))
    assert problems(*stages, contracts=[lenient]) == []
    found = only_problem(*stages, contracts=[strict])
    assert (found.stage, found.path) == ("a", "stages.0.with.review")
    assert "'stages.b.output.text' is null when 'b' was not visited" in found.message


def test_a_declared_outcome_without_a_route_is_an_error() -> None:
    found = only_problem(work("a"), contracts=[contract("a", outcomes=("rework",))])
    assert found.message.startswith("Outcome 'rework' has no route.")


def test_declared_approval_and_rejection_have_routes_of_their_own() -> None:
    assert problems(work("a"), contracts=[contract("a", outcomes=("approved", "rejected"))]) == []


def test_an_agent_of_another_version_is_an_error() -> None:
    found = only_problem(work("a", agent="a@^2"), contracts=[contract("a", version="1.3.0")])
    assert found.message == "It requires a@^2, but the agent has version 1.3.0."
    assert found.remedy == "Require a@^1.3."


def test_a_field_that_the_source_does_not_have_is_an_error() -> None:
    stages = [work("a"), work("b", with_={"from": "stages.a.output.pln"})]
    found = only_problem(*stages, contracts=[contract("a", {}, fields(plan=TEXT))])
    assert found.message.endswith("reads 'pln', which is not there. There are: plan.")


def test_big_definitions_are_checked_quickly() -> None:
    stages = [work(f"s{n}", with_={"from": f"stages.s{max(0, n - 1)}.output"}) for n in range(2000)]
    assert problems(*stages) == []


def test_a_reference_that_cannot_be_read_hides_no_other_problem() -> None:
    template = {"x": {"from": "outptu"}, "y": {"from": "stages.nope.output"}}
    found = problems(work("a", with_=template), contracts=[contract("a", fields(z=TEXT))])
    assert [one.path for one in found] == ["stages.0.with.x", "stages.0.with.y"]


def test_a_template_that_is_too_deep_is_an_error() -> None:
    template: Any = {"from": "input"}
    for _ in range(70):
        template = [template]
    found = only_problem(work("a", with_=template), contracts=[contract("a")])
    assert found.path == "stages.0.with"
    assert "nested deeper than 64 levels" in found.message


def test_what_is_known_of_errors_is_that_they_are_a_list() -> None:
    stages = [work("a"), work("b", with_={"n": {"from": "stages.a.errors"}})]
    found = only_problem(*stages, contracts=[contract("b", fields(n=TEXT))])
    assert "n is array, but string is expected" in found.message

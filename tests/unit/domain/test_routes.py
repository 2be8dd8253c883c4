from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.routes import outcomes, regions, routes, rule_outcomes

from .definitions import approval, definition, group, wait, work


def table(*stages: dict[str, Any]) -> dict[str, dict[str, str]]:
    return routes(definition(*stages).stages)


def test_ok_goes_to_the_next_stage_and_the_last_to_complete() -> None:
    found = table(work("a"), work("b"))
    assert (found["a"]["ok"], found["b"]["ok"]) == ("b", "complete")


def test_a_written_route_comes_before_the_default() -> None:
    found = table(work("a", on={"ok": "c", "failed": "b", "label": "c"}), work("b"), work("c"))
    assert found["a"] == {
        "ok": "c",
        "approved": "c",
        "failed": "b",
        "label": "c",
        **dict.fromkeys(("exhausted", "invalid", "rejected", "timeout"), "fail"),
    }


@pytest.mark.parametrize(
    ("policy", "target"), [("fail", "fail"), ("skip", "b"), ("hold", None), (None, "fail")]
)
def test_failures_follow_the_failure_policy(policy: str | None, target: str | None) -> None:
    given = {"on_failure": policy} if policy else {}
    found = table(work("a", **given), work("b"))["a"]
    for outcome in ("failed", "invalid", "timeout", "exhausted", "rejected"):
        assert found.get(outcome) == target
    assert found["ok"] == "b"


def test_a_failure_that_is_routed_does_not_hold() -> None:
    found = table(work("a", on_failure="hold", on={"failed": "complete"}))["a"]
    assert found["failed"] == "complete"
    assert "timeout" not in found


def test_skip_follows_the_written_ok_route() -> None:
    found = table(work("a", on_failure="skip", on={"ok": "c"}), work("b"), work("c"))
    assert found["a"]["failed"] == "c"


def test_approved_behaves_like_ok_and_rejected_like_a_failure() -> None:
    found = table(approval("sign"), work("b"))["sign"]
    assert found == {"approved": "b", "rejected": "fail", "timeout": "fail", "exhausted": "fail"}


def test_a_skipped_approval_goes_where_an_approved_one_goes() -> None:
    stages = approval("sign", on_failure="skip", on={"approved": "c"}), work("b"), work("c")
    assert table(*stages)["sign"]["rejected"] == "c"


def test_an_unrouted_label_of_a_rule_has_no_entry() -> None:
    rules = [{"when": "true", "outcome": "rework"}, {"when": "true", "outcome": "approved"}]
    found = table({**group("both", left=[work("a")]), "rules": rules})["both"]
    assert "rework" not in found
    assert found["approved"] == "complete"


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (work("a"), "approved exhausted failed invalid ok rejected timeout"),
        (group("g", left=[work("a")]), "exhausted failed ok"),
        (approval("sign"), "approved exhausted rejected timeout"),
        (wait("w", for_s=1), "exhausted ok"),
        (wait("w", signal="go"), "exhausted ok timeout"),
        (wait("w", until={"from": "input.at"}), "exhausted invalid ok"),
    ],
)
def test_each_kind_has_its_outcomes(stage: dict[str, Any], expected: str) -> None:
    assert " ".join(sorted(outcomes(definition(stage).stages[0]))) == expected


def test_rules_add_outcomes_and_may_make_a_group_invalid() -> None:
    rules = [{"when": "visit > 1", "outcome": label} for label in ("late", "rework", "late")]
    stage = definition({**group("g", left=[work("a")]), "rules": rules}).stages[0]
    assert rule_outcomes(stage) == ("late", "rework")
    assert outcomes(stage) >= {"late", "rework", "invalid"}


def test_regions_are_listed_from_the_outside_in_with_their_places() -> None:
    inner = group("inner", deep=[work("c")])
    found = list(regions(definition(work("a"), group("outer", left=[inner], right=[work("b")]))))
    assert [(region.group, region.branch, region.path) for region in found] == [
        (None, None, "stages"),
        ("outer", "left", "stages.1.branches.left"),
        ("inner", "deep", "stages.1.branches.left.0.branches.deep"),
        ("outer", "right", "stages.1.branches.right"),
    ]


def test_an_empty_region_has_no_routes() -> None:
    assert routes(()) == {}

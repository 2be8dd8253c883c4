from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.flow import Flow, possible_outcomes
from stagewright.domain.routes import regions

from .definitions import approval, definition, group, wait, work


def flow(*stages: dict[str, Any]) -> Flow:
    return Flow(next(regions(definition(*stages))))


def test_what_no_route_leads_to_is_not_reached() -> None:
    found = flow(work("a", on={"ok": "c"}), work("b"), work("c"))
    assert found.reached == {"a", "c", "complete", "fail"}


def test_sources_are_reached_stages_with_the_outcomes_that_lead_here() -> None:
    found = flow(work("a", on={"failed": "c", "timeout": "c"}), work("b"), work("c"))
    assert found.sources("c")["a"] == {"failed", "timeout"}
    assert found.sources("c")["b"] == {"ok", "approved"}
    assert found.sources("a") == {}


def test_a_stage_is_unfilled_until_it_was_visited() -> None:
    found = flow(work("a"), work("b", on={"again": "a"}), work("c"))
    assert found.maybe_unfilled("b", "output") >= {"a", "b"}
    assert "c" not in found.maybe_unfilled("b", "output")


def test_a_way_around_a_stage_leaves_it_unfilled() -> None:
    found = flow(work("a", on={"short": "c"}), work("b"), work("c"))
    assert "c" in found.maybe_unfilled("b", "output")


def test_a_failure_leaves_no_output_but_errors() -> None:
    found = flow(work("a", on_failure="skip"), work("b"))
    assert "b" in found.maybe_unfilled("a", "output")
    assert "b" not in found.maybe_unfilled("a", "errors")


def test_a_rejection_and_a_failed_group_have_output() -> None:
    found = flow(approval("a", on_failure="skip"), work("b"))
    assert "b" not in found.maybe_unfilled("a", "output")
    found = flow({**group("a", left=[work("x")]), "on_failure": "skip"}, work("b"))
    assert "b" not in found.maybe_unfilled("a", "output")


def test_exhausted_keeps_the_output_of_the_last_visit() -> None:
    stages = work("a", max_visits=2, on={"exhausted": "c"}), work("b", on={"again": "a"}), work("c")
    assert "c" not in flow(*stages).maybe_unfilled("a", "output")


def test_exhausted_after_a_failure_is_unfilled() -> None:
    first = work("a", max_visits=2, on={"exhausted": "c", "failed": "b"})
    stages = first, work("b", on={"ok": "a"}), work("c")
    assert "c" in flow(*stages).maybe_unfilled("a", "output")


@pytest.mark.parametrize(
    ("stages", "loop"),
    [
        ([work("a"), work("b")], None),
        ([work("a", on={"again": "a"})], ["a"]),
        ([work("a"), work("b"), work("c", on={"again": "b"})], ["b", "c"]),
        ([work("a", max_visits=1), work("b", on={"again": "a"})], None),
        ([work("a"), work("b", max_visits=1, on={"again": "a"})], None),
        ([work("a"), work("b", max_visits=1, on={"exhausted": "a"})], ["a", "b"]),
        ([work("a", max_visits=1, on={"exhausted": "b"}), work("b", on={"ok": "a"})], ["a", "b"]),
    ],
)
def test_a_loop_is_found_unless_something_bounds_it(
    stages: list[dict[str, Any]], loop: list[str] | None
) -> None:
    found = flow(*stages).endless()
    assert (found and sorted(found)) == loop


def test_a_loop_is_told_in_the_direction_of_its_routes() -> None:
    found = flow(work("a"), work("b"), work("c", on={"again": "a"})).endless()
    assert found is not None
    around = [*found, *found]
    assert ["a", "b", "c"] in [around[i : i + 3] for i in range(3)]


@pytest.mark.parametrize(
    ("stage", "impossible"),
    [
        (work("a"), "exhausted"),
        (approval("a"), "timeout"),
        (wait("a", signal="x"), "timeout"),
        (approval("a", timeout_s=1, max_visits=1), None),
    ],
)
def test_some_outcomes_need_a_bound_to_occur(stage: dict[str, Any], impossible: str | None) -> None:
    possible = possible_outcomes(definition(stage).stages[0])
    assert impossible not in possible
    assert impossible is not None or possible >= {"timeout", "exhausted"}

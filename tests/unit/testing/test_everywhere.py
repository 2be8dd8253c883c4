"""Crashes at every write of a user's own workflow."""

from __future__ import annotations

import itertools

import pytest

from stagewright import Workflow, approval, stage, wait
from stagewright.testing import crash_everywhere
from stagewright.testing.everywhere import SHUFFLES
from tests.simulation.planted import acknowledge_before_commit, no_step_id_check
from tests.unit.testing.articles import TEA, Draft, quick, write

draft = stage("draft", agent=write, with_=Workflow.input, max_visits=3)
gated = Workflow(
    "gated",
    wait("rest", for_s=86_400.0),
    draft,
    approval("review", approvers=["editors"]).on(rejected=draft),
)


def test_a_workflow_ends_the_same_whoever_is_killed_at_whatever_write() -> None:
    survived = crash_everywhere(quick, TEA)
    assert (survived.status, survived.output) == ("completed", {"text": "ALL ABOUT TEA, DRAFT 1"})
    assert survived.writes > 20
    assert survived.runs == 3 + 2 * survived.writes + SHUFFLES


def test_waits_and_people_are_crashed_through_too() -> None:
    survived = crash_everywhere(gated, TEA, approvals={"review": ["reject", "approve"]})
    assert survived.output["decided_by"] == ["editors"]


def test_an_agent_that_gives_something_else_each_time_is_told() -> None:
    numbers = itertools.count()

    def counting(_: object) -> Draft:
        return Draft(text=f"call {next(numbers)}")

    with pytest.raises(AssertionError, match=r"(?s)Undisturbed, quick completed.*it completed"):
        crash_everywhere(quick, TEA, agents={"write": counting})
    same = crash_everywhere(quick, TEA, agents={"write": counting}, same=lambda _: None)
    assert same.status == "completed"


def test_a_workflow_that_cannot_run_at_all_says_why() -> None:
    with pytest.raises(Exception, match="about"):
        crash_everywhere(quick, {})


def test_a_failure_is_an_end_like_any_other() -> None:
    survived = crash_everywhere(quick, TEA, agents={"print": {"wrong": 1}})
    assert (survived.status, survived.output) == ("failed", None)


@pytest.mark.parametrize("plant", [acknowledge_before_commit, no_step_id_check])
def test_a_planted_bug_is_found(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(plant)
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"killed|repeated|undisturbed"):
        crash_everywhere(quick, TEA)

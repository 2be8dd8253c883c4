"""The machine of one region: asked once per question, remembered within bounds."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from statemachine import StateChart

from stagewright.domain import machine as subject
from stagewright.domain.machine import Machine, Step

TABLE = {
    "build": {"ok": "check", "failed": "fail", "skip": "ship"},
    "check": {"ok": "ship", "bad": "build", "on_enter": "ship", "send": "build"},
    "ship": {"ok": "complete"},
}


@pytest.fixture
def machine() -> Machine:
    return Machine("build", TABLE)


@pytest.mark.parametrize(
    ("state", "outcome", "step"),
    [
        ("build", "ok", Step("check", False)),
        ("build", "skip", Step("ship", False)),
        ("check", "bad", Step("build", False)),
        ("ship", "ok", Step("complete", True)),
        ("build", "failed", Step("fail", True)),
    ],
)
def test_an_outcome_leads_where_the_routes_say(
    machine: Machine, state: str, outcome: str, step: Step
) -> None:
    assert machine.step(state, outcome) == step


@pytest.mark.parametrize(
    ("state", "outcome"), [("build", "bad"), ("ship", "failed"), ("ship", "x")]
)
def test_an_outcome_without_a_route_leads_nowhere(
    machine: Machine, state: str, outcome: str
) -> None:
    assert machine.step(state, outcome) is None


def test_outcomes_named_like_the_librarys_own_words_are_outcomes(machine: Machine) -> None:
    assert machine.step("check", "send") == Step("build", False)
    assert machine.step("check", "on_enter") == Step("ship", False)


@pytest.mark.parametrize("name", ["class", "send", "s0", "t_fail", "a-b", "configuration"])
def test_stages_may_be_named_as_they_like(name: str) -> None:
    assert Machine(name, {name: {"ok": "complete"}}).step(name, "ok") == Step("complete", True)


def test_a_stage_may_lead_to_itself() -> None:
    assert Machine("a", {"a": {"again": "a"}}).step("a", "again") == Step("a", False)


def test_the_library_is_asked_once_per_question(machine: Machine) -> None:
    with patch.object(StateChart, "send", autospec=True, side_effect=StateChart.send) as send:
        answers = {machine.step("build", "ok") for _ in range(3)}
        refusals = {machine.step("build", "bad") for _ in range(3)}
    assert (answers, refusals) == ({Step("check", False)}, {None})
    assert send.call_count == 2


def test_the_memory_is_bounded_and_answers_beyond_it_are_right(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MEMO_LIMIT", 2)
    for number in range(10):
        assert machine.step("build", f"made_up_{number}") is None
    assert machine.step("build", "ok") == Step("check", False)
    assert len(machine._memo) == 2


def test_the_librarys_class_is_compiled_at_the_first_question() -> None:
    machine = Machine("build", TABLE)
    assert machine._chart is None
    machine.step("build", "ok")
    assert machine._chart is not None

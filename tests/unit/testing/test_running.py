"""Workflows in virtual time, with people and agents as the test wants them."""

from __future__ import annotations

import asyncio
import time

import pytest

from stagewright import StagewrightError, Workflow, WorkflowFailed, agent, approval, stage
from stagewright.domain.errors import ConfigurationError
from stagewright.testing import Flow, Waits, run
from tests.unit.testing.articles import DAY_S, TEA, Draft, Topic, article, quick

PEOPLE = {"approvals": {"review": ["reject", "approve"]}, "signals": {"paper_came": {"sheets": 9}}}


def test_months_of_waiting_and_two_rounds_are_over_at_once() -> None:
    result = run(article, TEA, **PEOPLE)
    assert result.output == {"text": "ALL ABOUT TEA, DRAFT 2"}
    finished_ms = result.view.finished_at_ms
    assert finished_ms is not None
    assert finished_ms - result.view.created_at_ms == 2 * 30 * DAY_S * 1_000


def test_a_month_takes_less_than_a_tenth_of_a_second_of_work() -> None:
    run(article, TEA, **PEOPLE)  # what is imported and compiled once
    began = time.process_time()
    run(article, TEA, **PEOPLE)
    assert time.process_time() - began < 0.1 * 3  # others may be at work on the same core


def test_an_agent_may_be_replaced_by_a_function_or_a_value() -> None:
    def write(task: Topic) -> Draft:
        return Draft(text=task.about)

    assert run(quick, TEA, agents={"write": write}).output == {"text": "TEA"}
    assert run(quick, TEA, agents={"print": Draft(text="fixed")}).output == {"text": "fixed"}


def test_a_replacement_keeps_the_contract() -> None:
    with pytest.raises(WorkflowFailed, match="text"):
        run(quick, TEA, agents={"write": {"no": "text"}})


def test_an_agent_that_is_only_named_is_given_by_the_test() -> None:
    named = Workflow("named", stage("scan", agent="scanner@^1.2"))
    assert run(named, 7, agents={"scanner": lambda task: task + 1}).output == 8
    with pytest.raises(ConfigurationError, match="nobody does its work"):
        run(named, 7)
    with pytest.raises(ConfigurationError, match="asked for by no stage"):
        run(named, 7, agents={"scaner": 1})


def test_a_workflow_that_waits_for_nobody_in_the_test_says_for_whom() -> None:
    with pytest.raises(Waits, match="waits for 1 approval of editors, which nobody gives"):
        run(article, TEA)
    with pytest.raises(Waits, match="waits for the signal paper_came"):
        run(article, TEA, approvals={"review": "approve"})


def test_a_workflow_that_fails_raises_why() -> None:
    def broken(_: Topic) -> Draft:
        raise StagewrightError("no ink")

    with pytest.raises(WorkflowFailed, match="no ink"):
        run(quick, TEA, agents={"write": broken})


def test_a_decision_may_say_all_that_a_person_may_say() -> None:
    flow = Workflow("one", approval("ok", approvers=["ann", "bob", "group:g"], required=2))
    result = run(flow, approvals={"ok": {"decision": "approve", "reason": "fine", "data": 5}})
    assert result.output["decided_by"] == ["ann", "bob"]
    assert (result.output["comment"], result.output["data"]) == ("fine", 5)
    refused = run(Workflow("two", approval("ok", approvers=["*", "group:g"], required=2)),
                  approvals={"ok": "approve"})  # fmt: skip
    assert refused.output["decided_by"] == ["person-1", "person-2"]


def test_a_test_may_act_in_the_middle() -> None:
    async def people(flow: Flow) -> None:
        await flow.reaches("review")
        (reason,) = await flow.client.explain(flow.workflow_id)
        assert reason.owner == "editors"
        await flow.client.approve(flow.workflow_id, by="editors")
        await flow.reaches("paper")
        await asyncio.sleep(DAY_S)
        await flow.client.signal(flow.workflow_id, "paper_came")

    assert run(article, TEA, during=people).output == {"text": "ALL ABOUT TEA, DRAFT 1"}


def test_what_fails_in_the_middle_fails_the_test() -> None:
    async def people(flow: Flow) -> None:
        await flow.client.approve(flow.workflow_id, by="a stranger")

    with pytest.raises(StagewrightError, match="no approval waits"):
        run(article, TEA, during=people)


async def test_it_may_be_called_from_an_asynchronous_test() -> None:
    assert run(quick, TEA).output == {"text": "ALL ABOUT TEA, DRAFT 1"}


def test_agents_may_sleep_for_days() -> None:
    @agent("slow")
    async def slow(_: int) -> str:
        await asyncio.sleep(3 * DAY_S)
        return "slept"

    assert run(Workflow("nap", stage(slow, timeout_s=9 * DAY_S)), 1).output == "slept"

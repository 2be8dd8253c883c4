from __future__ import annotations

import pytest

from stagewright.application.refusals import answer_of, approval_of
from stagewright.domain.errors import (
    AlreadyDecided,
    Conflict,
    Refused,
    StagewrightError,
    ValidationFailed,
    WorkflowNotFound,
)
from stagewright.domain.workflow import Answer
from tests.unit.domain.kernel import agent, approval, parallel, started

ID = "p01-a"


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("conflict", Conflict, "Use another key"),
        ("already_decided", AlreadyDecided, "workflow explain p01-a"),
        ("stale", AlreadyDecided, "workflow explain p01-a"),
        ("ended", AlreadyDecided, "workflow explain p01-a"),
        ("not_paused", Refused, "workflow explain p01-a"),
        ("not_allowed", Refused, "name the group"),
        ("invalid", ValidationFailed, "Correct the fields"),
        ("full", Refused, "once some are taken"),
        ("not_found", WorkflowNotFound, "workflow list"),
    ],
)
def test_a_refusal_becomes_an_error_with_a_remedy(
    code: str, kind: type[StagewrightError], remedy: str
) -> None:
    with pytest.raises(StagewrightError, match="p01-a") as caught:
        answer_of(Answer("c1", ok=False, code=code, detail="it is so"), ID)
    assert type(caught.value) is kind
    assert remedy in caught.value.remedy


def test_a_refusal_names_workflow_and_reason() -> None:
    with pytest.raises(Refused) as caught:
        answer_of(Answer("c1", ok=False, code="not_paused", detail="it is not paused"), ID)
    assert caught.value.message == "Workflow p01-a: it is not paused."


def test_a_yes_is_an_answer() -> None:
    yes = Answer("c1", ok=True)
    assert answer_of(yes, ID) is yes


def test_no_answer_at_all_is_refused() -> None:
    with pytest.raises(Refused, match="p01-a gave no answer"):
        answer_of(None, ID)


def test_the_one_approval_that_waits_needs_no_name() -> None:
    assert approval_of(started(approval("sign")).now) == "sign"


def test_of_several_approvals_one_must_be_named() -> None:
    flow = started(parallel("both", [approval("legal")], [approval("sales")]))
    with pytest.raises(Refused, match="2 approvals wait: legal, sales"):
        approval_of(flow.now)


def test_where_no_approval_waits_nothing_can_be_named() -> None:
    with pytest.raises(Refused, match="no approval waits"):
        approval_of(started(agent("build")).now)


def test_a_workflow_that_ended_is_decided_already() -> None:
    flow = started(agent("build"))
    flow.ok("build")
    with pytest.raises(AlreadyDecided, match="it has ended: completed"):
        approval_of(flow.now)

"""Dialogs ask, and name the command that does the same."""

from __future__ import annotations

import pytest

from stagewright.domain.errors import NotFound
from stagewright.entrypoints.web.dialogs import deciders, dialog_of
from stagewright.ports.views import StageView, Waiting
from tests.unit.entrypoints.fakes import ID, NOW_MS, view

ASKED = Waiting(
    stage="sign",
    kind="approval",
    owner="ops",
    reason="r",
    since_ms=NOW_MS,
    detail={"approvers": ["group:ops"], "visit": 2, "shown_hash": "ab", "required": 2},
)


@pytest.mark.parametrize(
    "kind", ["pause", "resume", "cancel", "retry", "redrive", "edit", "signal"]
)
def test_every_dialog_names_its_route_and_its_command(kind: str) -> None:
    asked = dialog_of(kind, view(), None, "")
    assert asked.action.startswith(f"/ui/workflows/{ID}/")
    assert asked.command.startswith("stagewright workflow ")
    assert ID in asked.command


def test_a_decision_is_for_what_was_shown() -> None:
    asked = dialog_of("approve", view(waiting=[ASKED]), "sign", "")
    assert asked.hidden == {"stage": "sign", "visit": "2", "shown_hash": "ab"}
    assert "2 decisions are still needed" in asked.text
    assert [field.name for field in asked.inputs] == ["reason"]


def test_only_who_speaks_for_others_says_for_whom() -> None:
    asked = dialog_of("reject", view(waiting=[ASKED]), "sign", "owner")
    assert [(f.name, f.value) for f in asked.inputs] == [
        ("by", "owner"),
        ("group", "ops"),
        ("reason", ""),
    ]
    assert [f.value for f in deciders(["ann", "bob"])] == ["ann"]


def test_a_successor_may_begin_with_any_stage_that_was_reached() -> None:
    stages = [
        StageView(name="plan", kind="agent", status="ended", outcome="ok", visit=1),
        StageView(name="build", kind="agent", status="pending"),
    ]
    (pick,) = dialog_of("redrive", view(status="failed", stages=stages), None, "").inputs
    assert (list(pick.options), pick.value) == (["plan"], "plan")


def test_there_is_no_dialog_for_what_cannot_be_done() -> None:
    with pytest.raises(NotFound, match="No dialog 'explode'"):
        dialog_of("explode", view(), None, "")

"""The true reason and owner of every kind of waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stagewright.application.explain import Scene, explain, live_agents
from stagewright.ports.task import TaskRecord
from stagewright.ports.views import AgentView, Waiting
from tests.unit.domain.kernel import (
    START_MS,
    WORKFLOW,
    Kernel,
    agent,
    approval,
    parallel,
    started,
    wait,
)

TASK = f"{WORKFLOW}/build/1/1"
SINCE = datetime.fromtimestamp(START_MS / 1_000, UTC).isoformat(timespec="seconds")[:-6] + "Z"
LATER_MS = START_MS + 60_000
LATER = datetime.fromtimestamp(LATER_MS / 1_000, UTC).isoformat(timespec="seconds")[:-6] + "Z"
RECORD = TaskRecord(TASK, "queued", "build@1.0", 2, 0, None, START_MS, None, None, None, 0, 4)


def worker(*lanes: str, name: str = "build") -> AgentView:
    return AgentView(
        holder="w1", host="h", pid=1, started_at_ms=0, agents={name: {"lanes": list(lanes)}}
    )


def scene(flow: Kernel, *records: TaskRecord, **fields: Any) -> Scene:
    given: dict[str, Any] = {"agents": [], "owner": "orchestrator-1", **fields}
    return Scene(plan=flow.plan, records={r.task_id: r for r in records}, **given)


def only(flow: Kernel, *records: TaskRecord, **fields: Any) -> Waiting:
    (reason,) = explain(flow.now, scene(flow, *records, **fields))
    return reason


def test_a_workflow_that_has_ended_waits_for_nothing() -> None:
    flow = started(agent("build"))
    flow.cancel()
    assert explain(flow.now, scene(flow)) == []


# --- tasks ----------------------------------------------------------------------------------------


def test_a_queued_task_says_behind_how_many_it_is() -> None:
    found = only(started(agent("build")), RECORD, agents=[worker("build@1.0")])
    assert (found.kind, found.stage, found.since_ms) == ("queued", "build", START_MS)
    assert found.reason == f"queued since {SINCE} at 5 in build@1.0"
    assert found.owner == "1 live agent of build@1.0"


def test_a_queued_task_that_nobody_can_claim_says_so() -> None:
    found = only(started(agent("build")), RECORD, agents=[worker("build@0.9")])
    assert found.reason == f"queued since {SINCE}, no live agent of build@^1"
    assert found.owner == "whoever runs build"
    assert found.remedy == "stagewright agent run MODULE:build"


def test_a_requirement_of_a_minor_version_is_named_with_it() -> None:
    record = replace(RECORD, lane="build@1.3")
    found = only(started(agent("build")), record, agents=[worker("build@1.0", "build@1.2")])
    assert found.reason.endswith("no live agent of build@^1.3")


def test_where_one_process_does_all_the_remedy_is_that_process() -> None:
    found = only(started(agent("build")), RECORD, sole=True)
    assert found.remedy == "stagewright dev MODULE"


def test_a_leased_task_says_by_whom_and_until_when() -> None:
    leased = replace(
        RECORD, state="leased", holder="w1", claimed_at_ms=START_MS + 5, expires_at_ms=LATER_MS
    )
    found = only(started(agent("build")), leased)
    assert (found.kind, found.owner) == ("leased", "w1")
    assert found.reason == f"leased by w1 until {LATER}"
    assert (found.since_ms, found.until_ms) == (START_MS + 5, LATER_MS)


def test_a_lease_of_which_little_is_known_is_explained_all_the_same() -> None:
    found = only(started(agent("build")), replace(RECORD, state="leased"))
    assert found.reason == "leased by an agent until an unknown time"
    assert found.since_ms == START_MS


@pytest.mark.parametrize(
    ("owner", "expected"),
    [("orchestrator-1", "orchestrator-1"), (None, "whoever runs an orchestrator")],
)
def test_a_result_that_lies_in_the_inbox_waits_for_an_orchestrator(
    owner: str | None, expected: str
) -> None:
    found = only(started(agent("build")), replace(RECORD, state="done"), owner=owner)
    assert (found.kind, found.owner) == ("done", expected)
    assert ("no orchestrator" in found.reason) is (owner is None)
    assert (found.remedy == "stagewright serve") is (owner is None)


def test_a_result_that_became_a_dead_letter_waits_for_people() -> None:
    done = replace(RECORD, state="done")
    found = only(started(agent("build")), done, letters={TASK: "p00-letter"}, owner=None)
    assert (found.kind, found.owner) == ("done", "people")
    assert found.reason == "its result could not be applied and is the dead letter p00-letter"
    assert found.remedy == "stagewright dead-letter redrive p00-letter"
    assert found.detail == {"letter": "p00-letter"}


def test_a_task_without_a_record_waits_for_the_reconciler() -> None:
    flow = started(agent("build"))
    found = only(flow)
    assert (found.kind, found.owner) == ("missing", "the reconciler")
    assert found.remedy == f"stagewright workflow replay {WORKFLOW} --repair"


# --- paused ---------------------------------------------------------------------------------------


def paused(flow: Kernel, *records: TaskRecord) -> tuple[Waiting, Waiting]:
    first, second = explain(flow.now, scene(flow, *records))
    return first, second


def test_a_paused_workflow_names_who_paused_it_first() -> None:
    flow = started(agent("build"))
    flow.pause()
    pause, task = paused(flow, replace(RECORD, state="suspended"))
    assert (pause.kind, pause.owner, pause.reason) == ("paused", "ann", "paused by ann: lunch")
    assert pause.remedy == f"stagewright workflow resume {WORKFLOW}"
    assert (task.kind, task.owner) == ("suspended", "people")


def test_a_result_that_is_recorded_while_paused_is_done() -> None:
    flow = started(agent("build"))
    flow.pause()
    flow.ok("build")
    pause, task = paused(flow)
    assert pause.detail == {"recorded": 1}
    assert (task.kind, task.reason) == ("done", "its result is recorded until resume")


# --- time, people and events ----------------------------------------------------------------------


def test_a_retry_says_when_and_why() -> None:
    flow = started(agent("build", retry={"attempts": 3, "delay_s": 120}))
    flow.fails("build")
    found = only(flow)
    assert (found.kind, found.owner, found.until_ms) == ("retry", "orchestrator-1", LATER_MS)
    assert found.reason == f"attempt 2 at {LATER}; the one before: build broke"


def test_without_an_orchestrator_time_is_nobodys() -> None:
    found = only(started(wait("nap", for_s=60)), owner=None)
    assert (found.kind, found.reason) == ("timer", f"waits until {LATER}")
    assert "no orchestrator is alive" in found.owner


@pytest.mark.parametrize(("timeout", "limit"), [({}, ""), ({"timeout_s": 60}, f" until {LATER}")])
def test_a_signal_is_named(timeout: dict[str, float], limit: str) -> None:
    found = only(started(wait("paid", signal="payment", **timeout)))
    assert (found.kind, found.owner) == ("signal", "whoever sends payment")
    assert found.reason == f"waits for the signal payment{limit}"
    assert found.remedy == f"stagewright workflow signal {WORKFLOW} payment"


def test_an_approval_names_the_people_and_what_they_are_shown() -> None:
    flow = started(approval("sign", "ann", "bob", required=2))
    found = only(flow)
    assert (found.kind, found.owner) == ("approval", "ann, bob")
    assert found.reason == "waits for 2 approvals of ann, bob"
    assert found.detail["shown"] == "sign/1/shown"
    flow.vote("sign", "ann")
    found = only(flow)
    assert found.reason == "waits for 1 approval of ann, bob"
    assert found.detail["decided"] == ["ann"]


def test_a_group_and_each_of_its_branches_are_explained() -> None:
    flow = started(parallel("fan", [agent("build")], [wait("nap", for_s=60)], [agent("c")]))
    flow.ok("c")
    group, *branches = sorted(explain(flow.now, scene(flow, RECORD)), key=lambda w: w.kind)
    assert group.reason == "waits for 2 of 3 branches"
    assert [branch.stage for branch in branches] == ["build", "nap"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("failed", "held because it ended as failed: build broke"),
        ("held", "quarantined: it crashed"),
    ],
)
def test_what_is_held_or_quarantined_waits_for_people(kind: str, reason: str) -> None:
    flow = started(agent("build", retry={"attempts": 1}, on_failure="hold"))
    flow.fails("build") if kind == "failed" else flow.hold("build")
    found = only(flow)
    assert (found.kind, found.owner, found.reason) == ("held", "people", reason)
    assert found.remedy == f"stagewright workflow retry {WORKFLOW} --stage build"


def test_agents_are_live_in_the_lanes_they_claim_from() -> None:
    agents = [worker("build@1.0", "build@1.1"), worker("build@1.0"), worker("x@1.0", name="x")]
    assert [live_agents(agents, f"build@1.{n}") for n in range(3)] == [2, 1, 0]

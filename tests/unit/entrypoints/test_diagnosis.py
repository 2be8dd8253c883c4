from __future__ import annotations

from contextlib import nullcontext

import pytest

from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.connections import Connection
from stagewright.entrypoints.diagnosis import Finding, diagnose
from stagewright.ports.views import AgentView, LaneView, PortView
from tests.unit.entrypoints.fakes import FakeControl, FakeLetters, letter, system

AGENT = AgentView(holder="h", host="h", pid=1, started_at_ms=1, agents={"build": {}})


async def found(control: FakeControl) -> dict[str, Finding]:
    connection = Connection(control, control, FakeLetters(control))
    findings = await diagnose(Stagewright.over(lambda: nullcontext(connection)))
    return {finding.check: finding for finding in findings}


async def test_a_healthy_system_has_nothing_to_mend() -> None:
    control = FakeControl(health=system(durability="process", agents=[AGENT]))
    findings = await found(control)
    assert {finding.status for finding in findings.values()} == {"ok"}
    assert set(findings) == {
        "backend", "durability", "orchestrators", "agents", "lanes", "dead letters",
    }  # fmt: skip


async def test_a_backend_that_does_not_answer_is_all_there_is_to_say() -> None:
    broken = PortView(port="store", ok=False, durability="none", detail="refused")
    findings = await found(FakeControl(health=system(level="offline", ports=[broken])))
    assert list(findings) == ["backend"]
    assert "store: refused" in findings["backend"].found


@pytest.mark.parametrize("durability", ["none", "window"])
async def test_weak_durability_is_a_warning(durability: str) -> None:
    findings = await found(FakeControl(health=system(durability=durability)))
    assert findings["durability"].status == "warning"


@pytest.mark.parametrize(("owners", "status"), [({}, "failed"), ({0: "o1"}, "warning")])
async def test_partitions_without_an_owner_are_told(owners: dict[int, str], status: str) -> None:
    findings = await found(FakeControl(health=system(owners=owners)))
    assert findings["orchestrators"].status == status


@pytest.mark.parametrize(
    ("backend", "remedy"),
    [
        ("redis://127.0.0.1:6379/0", "Run `stagewright agent run MODULE:build`."),
        ("sqlite:////srv/state.db", "Run `stagewright dev MODULE`."),
    ],
)
async def test_a_lane_without_an_agent_says_how_to_serve_it(backend: str, remedy: str) -> None:
    lane = LaneView(lane="build@1.0", priority=2, queued=1)
    findings = await found(FakeControl(health=system(lanes=[lane], backend=backend)))
    assert findings["lanes"].status == "failed"
    assert findings["lanes"].found == "1 task waits in build@1.0 P2, no live agent"
    assert findings["lanes"].remedy == remedy
    assert findings["agents"].status == "warning"


async def test_losses_and_dead_letters_are_told() -> None:
    control = FakeControl(health=system(losses=["partition 1 went back"]))
    control.letters = {"p01-7": letter()}
    findings = await found(control)
    assert findings["losses"].status == "failed"
    assert (findings["dead letters"].status, findings["dead letters"].found) == ("warning", "1")

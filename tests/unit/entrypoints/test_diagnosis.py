from __future__ import annotations

from contextlib import nullcontext

import pytest

from stagewright.entrypoints.client.stagewright import Stagewright
from stagewright.entrypoints.diagnosis import Finding, diagnose
from stagewright.ports.health import Concern
from stagewright.ports.views import AgentView, LaneView, OrchestratorView, PortView, SilentView
from tests.unit.entrypoints.fakes import FakeControl, fake_connection, letter, system

AGENT = AgentView(holder="h", host="h", pid=1, started_at_ms=1, agents={"build": {}})


async def found(control: FakeControl) -> dict[str, Finding]:
    connection = fake_connection(control)
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


async def test_redis_without_any_log_on_disk_fails() -> None:
    view = system(durability="none", backend="redis://127.0.0.1:6379/0")
    durability = (await found(FakeControl(health=view)))["durability"]
    assert durability.status == "failed"
    assert "appendonly yes" in durability.remedy


@pytest.mark.parametrize(("serious", "status"), [(True, "failed"), (False, "warning")])
async def test_what_the_store_is_concerned_about_is_told(serious: bool, status: str) -> None:
    concern = Concern("file system", serious=serious, found="it is nfs4", remedy="Move it.")
    finding = (await found(FakeControl(health=system(concerns=[concern]))))["file system"]
    assert (finding.status, finding.found, finding.remedy) == (status, "it is nfs4", "Move it.")


@pytest.mark.parametrize(
    ("age_ms", "check", "status"),
    [
        (9_000, None, None),
        (13_000, "signs of life", "warning"),
        (-1_500, None, None),
        (-3_000, "clocks", "warning"),
        (-9_000, "clocks", "failed"),
    ],
)
@pytest.mark.parametrize("kind", ["orchestrators", "agents"])
async def test_who_is_silent_or_ahead_of_time_is_named(
    age_ms: int, check: str | None, status: str | None, kind: str
) -> None:
    told = {"told_at_ms": 1_000_000 - age_ms, "next_s": 5.0}
    who = {
        "orchestrators": OrchestratorView(holder="o1", **told),
        "agents": AGENT.model_copy(update=told),
    }
    view = system(at_ms=1_000_000, **{kind: [who[kind]]})
    findings = await found(FakeControl(health=view))
    told_of = {
        name: findings[name].status for name in ("signs of life", "clocks") if name in findings
    }
    assert told_of == ({} if check is None else {check: status})


async def test_who_owns_partitions_and_is_not_alive_is_named() -> None:
    alive = OrchestratorView(holder="o1", told_at_ms=0)
    view = system(owners={0: "o1", 1: "o2"}, orchestrators=[alive])
    finding = (await found(FakeControl(health=view)))["signs of life"]
    assert (finding.status, finding.found) == (
        "warning",
        "o2 owns partitions and gives no sign of life",
    )


async def test_who_fell_silent_lately_is_named() -> None:
    gone = SilentView(kind="agent process", holder="h:1:ab", told_at_ms=1_000_000)
    finding = await found(FakeControl(health=system(at_ms=1_240_000, silent=[gone])))
    assert finding["signs of life"].found == "no sign of life of agent process h:1:ab for 240 s"
    assert "its clock is behind" in finding["signs of life"].remedy

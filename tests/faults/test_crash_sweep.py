"""Every port call of every process, and harm before it and after it: nothing may come of it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.domain.records import but
from stagewright.ports.backend import BackendOptions
from stagewright.ports.message_bus import Received
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.faults import Harm, Moment
from tests.faults import crashes
from tests.faults.crashes import Run, Scene, crashed_at
from tests.faults.served import DecidingScene, ServedScene

SHARES = 8
"""The sweep is cut into so many tests, each with every eighth call."""
KILLS_PER_CALL = 0.06
SERVED_CALLS = {
    "blobs.get",
    "blobs.put",
    "bus.publish",
    "bus.subscribe",
    "kv.set",
    "registry.put_if_absent",
    "tasks.claim",
    "tasks.complete",
    "tasks.extend",
}


def memory() -> Harness:
    return Harness(open_backend, "memory://", VirtualClock(), BackendOptions(partitions=2))


@pytest.fixture(params=[memory], ids=["memory"])
def open_harness(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_undisturbed_the_pipeline_ends_as_it_should(open_harness: Any) -> None:
    run = await crashed_at(open_harness)
    assert (run.violations, run.hits) == ([], [])
    by_process = Counter(call.partition(" ")[0] for call in run.calls)
    assert set(by_process) == {"orchestrator", "runner", "client"}


async def test_two_undisturbed_runs_make_the_same_calls(open_harness: Any) -> None:
    first, second = [await crashed_at(open_harness) for _ in range(2)]
    assert first.calls == second.calls


async def sweep(open_harness: Any, share: int, **harm: Any) -> dict[str, list[str]]:
    """Do harm at every call of one share, one call a run; return the violations by call."""
    calls = len((await crashed_at(open_harness, kind=harm.get("kind", Scene))).calls)
    broken = {}
    for number in range(1 + share, calls + 1, SHARES):
        run = await crashed_at(open_harness, number, **harm)
        assert len(run.hits) == 1
        if run.violations:
            broken[f"call {number}, {run.hits}"] = run.violations
    return broken


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("share", range(SHARES))
async def test_a_kill_at_any_call_changes_nothing(
    open_harness: Any, share: int, moment: Moment
) -> None:
    assert await sweep(open_harness, share, moment=moment) == {}


@pytest.mark.parametrize("harm", ["kill", "fail", "stall"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("share", range(SHARES))
async def test_no_harm_at_any_call_with_served_agents_changes_anything(
    open_harness: Any, share: int, moment: Moment, harm: Harm
) -> None:
    assert await sweep(open_harness, share, moment=moment, harm=harm, kind=ServedScene) == {}


@pytest.mark.parametrize("harm", ["kill", "fail", "stall"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("share", range(SHARES))
async def test_no_harm_at_any_call_with_agents_that_decide_changes_anything(
    open_harness: Any, share: int, moment: Moment, harm: Harm
) -> None:
    assert await sweep(open_harness, share, moment=moment, harm=harm, kind=DecidingScene) == {}


async def test_served_agents_use_every_port_that_agents_have(open_harness: Any) -> None:
    run = await crashed_at(open_harness, kind=ServedScene)
    used = {call.partition(" ")[2] for call in run.calls if call.startswith("runner ")}
    assert run.violations == []
    assert used >= SERVED_CALLS


async def test_agents_that_decide_leave_the_inbox_alone(open_harness: Any) -> None:
    run = await crashed_at(open_harness, kind=DecidingScene)
    used = {call.partition(" ")[2] for call in run.calls if call.startswith("runner ")}
    assert run.violations == []
    assert used - SERVED_CALLS >= {"tasks.advance", "store.load"}
    assert "tasks.complete" not in used


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("seed", range(20))
async def test_many_kills_in_one_run_change_nothing(
    open_harness: Any, seed: int, moment: Moment
) -> None:
    chance = random.Random(seed)
    numbers = [n for n in range(1, 400) if chance.random() < KILLS_PER_CALL]
    run = await crashed_at(open_harness, *numbers, moment=moment)
    assert run.violations == [], f"{moment} {run.hits}"
    assert run.hits


# --- the sweep itself finds what is wrong ---------------------------------------------------------


class Forgetful:
    """A bus that deletes what it hands out, as a queue without acknowledgements does."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def receive(self, *args: Any) -> Received:
        received: Received = await self._bus.receive(*args)
        await self._bus.acknowledge(received.messages)
        return received


class Trusting:
    """A store that lets any step follow any other."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commits: Any, now_ms: int) -> Any:
        loaded = await self._store.load([commit.workflow_id for commit in commits])
        current = [getattr(stored, "step_id", None) for stored in loaded]
        trusted = [
            but(commit, expected_step_id=id_, fences=())
            for commit, id_ in zip(commits, current, strict=True)
        ]
        return await self._store.commit(trusted, now_ms)


def plant(monkeypatch: pytest.MonkeyPatch, port: str, planted: Any) -> None:
    """Put a fault between all processes and a port."""
    plain = crashes.Scene.__init__

    def wrapped(self: Any, backend: Any, *rest: Any) -> None:
        plain(self, replace(backend, **{port: planted(getattr(backend, port))}), *rest)

    monkeypatch.setattr(crashes.Scene, "__init__", wrapped)


@pytest.mark.parametrize(
    ("port", "planted", "violation"),
    [("bus", Forgetful, "never ended"), ("store", Trusting, "numbered")],
)
async def test_the_sweep_finds_a_planted_fault(
    open_harness: Any,
    monkeypatch: pytest.MonkeyPatch,
    port: str,
    planted: Any,
    violation: str,
) -> None:
    plant(monkeypatch, port, planted)
    found: list[Run] = []
    for number in range(1, 200):
        found.append(await crashed_at(open_harness, number, moment="after"))
        if any(violation in sentence for sentence in found[-1].violations):
            return
    pytest.fail(f"{len(found)} kills, and nothing was found")

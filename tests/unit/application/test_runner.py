from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from stagewright.adapters.system.clock import SystemClock
from stagewright.application.agents import Agent, agent
from stagewright.application.context import AgentContext, SyncAgentContext
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.signs import AGENTS, signs_of_life
from stagewright.domain.errors import ConfigurationError, Conflict, Unreachable
from stagewright.testing.clock import settle
from stagewright.testing.contracts import samples
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom
from tests.unit.application.runners import WORKFLOW, Calls, World, opened


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one:
        yield one


@agent("build", version="1.0.0")
async def build(task: Any) -> Any:
    return task


class Gate:
    """An agent that waits until it is let go, and remembers what it saw."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.contexts: list[AgentContext] = []
        self.ended: list[str] = []
        self.agent: Agent[..., Any] = agent("build", version="1.0.0")(self._work)

    async def _work(self, task: Any, ctx: AgentContext) -> Any:
        self.contexts.append(ctx)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled" if ctx.cancelled else "interrupted")
            raise
        self.ended.append("done")
        return task


@pytest.fixture
def gate() -> Gate:
    return Gate()


# --- claiming ---------------------------------------------------------------------------------


async def test_an_agent_never_has_more_tasks_than_its_limit(world: World, gate: Gate) -> None:
    await world.queue(*range(10))
    async with world.runner(gate.agent, limit=3):
        await settle()
        assert len(gate.contexts) == 3
        gate.opened.set()
        assert len(await world.results(10)) == 10
    assert all(sum(w.slots for w in claim.wants) <= 3 for claim in world.calls.claims)


async def test_results_of_one_moment_go_out_in_one_call_that_claims_anew(
    world: World, gate: Gate
) -> None:
    await world.queue(*range(8))
    async with world.runner(gate.agent, limit=5):
        await settle()
        gate.opened.set()
        await world.results(8)
        await settle()
    sizes = [len(completions) for completions, _ in world.calls.completes]
    assert sizes == [5, 3]
    claim = world.calls.completes[0][1]
    assert claim is not None
    assert claim.wants[0].slots == 5


async def test_a_claim_is_made_for_every_minor_up_to_the_agents_own(world: World) -> None:
    newer: Agent[..., Any] = agent("build", version="1.2.0")(lambda task: task)
    await world.queue(1, workflow=samples.workflow(1), lane="build@1.0")
    await world.queue(2, workflow=samples.workflow(2), lane="build@1.3")
    async with world.runner(newer):
        assert (await world.result()).value == 1
        await settle()
    assert world.calls.claims[0].wants[0].lanes == ("build@1.2", "build@1.1", "build@1.0")
    assert await world.state(samples.workflow(2)) == "queued"


async def test_several_agents_are_claimed_for_in_one_call(world: World) -> None:
    test: Agent[..., Any] = agent("test")(lambda task: task)
    await world.queue(1, workflow=samples.workflow(1), lane="build@1.0")
    await world.queue(2, workflow=samples.workflow(2), lane="test@1.0")
    async with world.runner(build, test):
        assert {result.value for result in await world.results(2)} == {1, 2}
    assert len(world.calls.claims[0].wants) == 2


async def test_every_sixteenth_claim_looks_at_the_lowest_priority_first(world: World) -> None:
    async with world.runner(build):
        for _ in range(33):
            await world.wake(b"build@1.0")
    order = [claim.lowest_first for claim in world.calls.claims]
    assert [number for number, lowest in enumerate(order, 1) if lowest] == [16, 32]


async def test_a_hint_for_a_lane_of_ours_wakes(world: World) -> None:
    async with world.runner(build):
        await settle()
        asked = len(world.calls.claims)
        await world.wake(b"other@1.0")
        await world.wake(b"inbox")
        assert len(world.calls.claims) == asked
        await world.queue(1)
        assert (await world.result()).value == 1


async def test_a_lost_hint_costs_a_moment(world: World) -> None:
    async with world.runner(build, sweep_s=1.0):
        await settle()
        world.backend.bus._state.listeners.tell = lambda *_: None  # type: ignore[attr-defined]
        await world.queue(1)
        await settle()
        assert await world.state() == "queued"
        await world.clock.advance(1.2)
        assert (await world.result()).value == 1


async def test_sweeps_become_rare_while_there_is_nothing(world: World) -> None:
    async with world.runner(build, sweep_s=1.0, sweep_most_s=5.0):
        await settle()
        asked = len(world.calls.claims)
        await world.clock.advance(60)
        assert 10 <= len(world.calls.claims) - asked <= 20
        await world.queue(1)
        await world.clock.advance(10)
        asked = len(world.calls.claims)
        await world.clock.advance(60)
        assert 10 <= len(world.calls.claims) - asked <= 20


async def test_a_subscription_that_breaks_is_made_anew(world: World) -> None:
    subscribe, broken = world.backend.bus.subscribe, [Unreachable("bus")]

    @asynccontextmanager
    async def flaky(*arguments: Any) -> AsyncIterator[Any]:
        if broken:
            raise broken.pop()
        async with subscribe(*arguments) as messages:
            yield messages

    world.backend.bus.subscribe = flaky  # type: ignore[method-assign]
    async with world.runner(build, sweep_s=1_000, sweep_most_s=1_000):
        await settle()
        assert world.calls.claims == []
        await world.clock.advance(0.5)
        await world.queue(1)
        assert (await world.result()).value == 1


async def test_more_than_a_batch_is_claimed_without_waiting(world: World) -> None:
    await world.queue(*range(10))
    async with world.runner(build, limit=100, batch=4):
        assert len(await world.results(10)) == 10


# --- a backend that is away -------------------------------------------------------------------


async def test_results_are_kept_while_the_queue_is_away(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent):
        await settle()
        world.calls.failures = 2
        gate.opened.set()
        await settle()
        assert await world.pending() == 0
        await world.clock.advance(2)
        assert (await world.result()).value == 1


async def test_claims_are_tried_again_when_the_queue_is_back(world: World) -> None:
    await world.queue(1)
    world.calls.failures = 3
    async with world.runner(build, sweep_s=1_000, sweep_most_s=1_000):
        await world.clock.advance(4)
        assert (await world.result()).value == 1


async def test_a_result_that_is_not_wanted_any_more_is_dropped(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent):
        await settle()
        (record,) = await samples.inspected(world.backend, WORKFLOW)
        lease = samples.TaskLease(record.task_id, record.token)
        await world.backend.tasks.release([lease], lost=True, now_ms=world.clock.now_ms())
        gate.opened.set()
        await settle()
        assert (await world.result()).token > lease.token
    assert [len(done) for done, _ in world.calls.completes] == [1, 1]


# --- leases -----------------------------------------------------------------------------------


async def test_leases_are_renewed_at_a_third_of_their_time(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent, lease_s=9.0):
        await settle()
        await world.clock.advance(30)
        assert len(world.calls.extends) == 10
        (record,) = await samples.inspected(world.backend, WORKFLOW)
        assert record.expires_at_ms == world.clock.now_ms() + 9_000
        gate.opened.set()
        assert (await world.result()).value == 1


async def test_an_agent_whose_lease_is_refused_is_interrupted(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent, lease_s=9.0):
        await settle()
        world.calls.refuse = True
        await world.clock.advance(3)
        assert gate.ended == ["cancelled"]
    assert world.calls.completes == []
    assert world.calls.releases == []


async def test_an_agent_that_ignores_its_interruption_gets_nothing_published(
    world: World,
) -> None:
    async def stubborn(task: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return task

    await world.queue(1)
    async with world.runner(agent("build")(stubborn), lease_s=9.0):
        await settle()
        world.calls.refuse = True
        await world.clock.advance(3)
    assert world.calls.completes == []


async def test_a_thread_whose_lease_is_refused_sees_it_and_keeps_its_place_until_then(
    world: World,
) -> None:
    seen, held = threading.Event(), Held()

    def threaded(task: Any, ctx: SyncAgentContext) -> Any:
        held.here()
        if ctx.cancelled:
            seen.set()
        return task

    await world.queue(1, 2)
    async with world.runner(agent("build")(threaded), limit=1, lease_s=9.0) as runner:
        await at_once(held.started.wait())
        world.calls.refuse = True
        await world.clock.advance(3)
        assert not seen.is_set()
        assert runner._roster.served[0].running == 1
        world.calls.refuse = False
        held.go_on.set()
        assert (await world.result()).value == 2
    assert seen.is_set()


class Held:
    """Holds a thread where it is, and lets the test know that it is there."""

    def __init__(self) -> None:
        self.started, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def here(self) -> None:
        self._loop.call_soon_threadsafe(self.started.set)
        self.go_on.wait(20)


async def test_a_hint_of_cancellation_is_verified_before_anything_stops(
    world: World, gate: Gate
) -> None:
    await world.queue(1)
    async with world.runner(gate.agent):
        await settle()
        await world.wake(b"cancel")
        assert gate.ended == []
        await _cancel(world)
        await world.wake(b"cancel", samples.workflow(2))
        assert gate.ended == []
        world.calls.failures = 1
        await world.wake(b"cancel")
        assert gate.ended == []
        await world.wake(b"cancel")
        assert gate.ended == ["cancelled"]


async def _cancel(world: World) -> None:
    first = samples.start(WORKFLOW)
    task = f"{WORKFLOW}/build/1/1"
    await samples.committed(world.backend, world.clock, samples.then(first, closed_tasks=(task,)))


async def test_an_agent_is_interrupted_at_its_deadline(world: World, gate: Gate) -> None:
    await world.queue(1, timeout_s=60.0)
    await world.queue(2, workflow=samples.workflow(2), timeout_s=10.0)
    async with world.runner(gate.agent, lease_s=600):
        await settle()
        await world.clock.advance(9.9)
        assert gate.ended == []
        await world.clock.advance(0.1)
        assert gate.ended == ["cancelled"]
        await world.clock.advance(50)
        assert gate.ended == ["cancelled"] * 2
    assert world.calls.completes == []


async def test_a_deadline_nearer_than_the_one_watched_is_kept_too(world: World, gate: Gate) -> None:
    async with world.runner(gate.agent, lease_s=600):
        await world.queue(1, timeout_s=60.0)
        await settle()
        await world.queue(2, workflow=samples.workflow(2), timeout_s=10.0)
        await world.clock.advance(10)
        assert gate.ended == ["cancelled"]
        gate.opened.set()


async def test_a_task_past_its_deadline_is_not_handed_back(world: World) -> None:
    held = Held()

    def endless(_: Any) -> None:
        held.here()

    await world.queue(1, timeout_s=10.0)
    runner = world.runner(agent("build")(endless), grace_s=1, lease_s=600)
    running = asyncio.create_task(runner.run())
    await at_once(held.started.wait())
    await world.clock.advance(10)
    runner.stop()
    await world.clock.advance(5)
    await running
    assert world.calls.releases == []
    held.go_on.set()


async def test_an_interrupted_agent_leaves_no_voice_behind(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent, lease_s=9.0):
        await settle()
        world.calls.refuse = True
        await world.clock.advance(3)
        await gate.contexts[0].log("from a helper task")
        await world.clock.advance(1)
    assert await world.notes() == []


async def test_a_task_whose_time_is_up_when_it_comes_is_given_up(world: World, gate: Gate) -> None:
    await world.queue(1, timeout_s=0.001)
    world.calls.gate = asyncio.Event()
    async with world.runner(gate.agent) as runner:
        await world.clock.advance(5)
        world.calls.gate.set()
        await settle()
        assert gate.contexts == []
        assert runner._roster.served[0].running == 0
    assert world.calls.completes == []


async def test_a_failed_heartbeat_is_made_good_by_the_next(world: World, gate: Gate) -> None:
    await world.queue(1)
    async with world.runner(gate.agent, limit=1, lease_s=9.0):
        await settle()
        world.calls.failures = 1
        await world.clock.advance(6)
        assert len(world.calls.extends) == 1
        gate.opened.set()
        assert (await world.result()).value == 1


class Thread:
    """A second connection for heartbeats: tells a blocked agent when its lease was renewed."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.renewed = threading.Event()
        self.loops: set[Any] = set()
        self.broken: list[Exception] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        if self.broken:
            raise self.broken.pop()
        yield replace_tasks(self)

    async def extend(self, leases: Any, _: float, now_ms: int) -> Any:
        self.loops.add(asyncio.get_running_loop())
        if leases and not self.calls.refuse:
            self.renewed.set()
        return [None if self.calls.refuse else now_ms] * len(leases)


class replace_tasks:  # noqa: N801  # reads as what it is
    def __init__(self, tasks: Any) -> None:
        self.tasks = tasks


def real_runner(world: World, made: Agent[..., Any], thread: Thread) -> AgentRunner:
    """A runner on the real clock, whose heartbeats have a thread."""
    return AgentRunner(
        world.backend,
        {made: 1},
        SystemClock(),
        SeededIdentifiers(),
        SeededRandom(),
        options=RunnerOptions(lease_s=0.03),
        heartbeat_backend=thread.open,
    )


async def test_an_agent_that_blocks_the_event_loop_keeps_its_lease(world: World) -> None:
    thread = Thread(world.calls)
    thread.broken = [RuntimeError("a driver's own"), Unreachable("queue")]

    async def blocking(_: Any) -> Any:
        return thread.renewed.wait(20)

    await world.queue(1)
    async with real_runner(world, agent("build")(blocking), thread):
        assert (await world.result()).value is True
    assert asyncio.get_running_loop() not in thread.loops
    assert "heartbeat" not in {one.name for one in threading.enumerate()}


async def test_a_lease_refused_to_the_thread_interrupts_the_agent(world: World) -> None:
    thread = Thread(world.calls)
    world.calls.refuse = True
    interrupted = asyncio.Event()

    async def waiting(_: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    await world.queue(1)
    async with real_runner(world, agent("build")(waiting), thread), asyncio.timeout(20):
        await interrupted.wait()
    assert world.calls.completes == []


# --- stopping ---------------------------------------------------------------------------------


async def test_stopping_waits_for_what_runs_and_claims_nothing_new(
    world: World, gate: Gate
) -> None:
    await world.queue(1, 2)
    async with world.runner(gate.agent, limit=1, grace_s=10) as runner:
        await settle()
        runner.stop()
        await world.clock.advance(9)
        gate.opened.set()
    assert [result.value for result in await world.results(1)] == [1]
    assert await world.state(samples.workflow(2)) == "queued"
    assert world.calls.releases == []


async def test_a_runner_that_is_cancelled_while_it_finishes_leaves_no_task_behind(
    world: World, gate: Gate
) -> None:
    await world.queue(1)
    before = asyncio.all_tasks()
    runner = world.runner(gate.agent, grace_s=10)
    running = asyncio.create_task(runner.run())
    await settle()
    runner.stop()
    await settle()
    running.cancel()
    await asyncio.wait({running})
    await settle()
    assert asyncio.all_tasks() == before


async def test_after_the_grace_time_tasks_are_handed_back_unharmed(
    world: World, gate: Gate
) -> None:
    await world.queue(1, 2)
    runner = world.runner(gate.agent, grace_s=10)
    running = asyncio.create_task(runner.run())
    await settle()
    runner.stop()
    await world.clock.advance(9.9)
    assert not running.done()
    await world.clock.advance(0.1)
    await running
    assert gate.ended == ["cancelled"] * 2
    (record,) = await samples.inspected(world.backend, WORKFLOW)
    assert (record.state, record.lost) == ("queued", 0)
    assert [(len(leases), lost) for leases, lost in world.calls.releases] == [(2, False)]


async def test_an_agent_that_will_not_end_is_left_behind(world: World) -> None:
    held = Held()

    def endless(_: Any) -> None:
        held.here()

    await world.queue(1)
    runner = world.runner(agent("build")(endless), grace_s=10)
    running = asyncio.create_task(runner.run())
    await at_once(held.started.wait())
    runner.stop()
    await world.clock.advance(13)
    await running
    assert await world.state() == "queued"
    held.go_on.set()


async def test_a_stubborn_coroutine_is_left_behind_too(world: World) -> None:
    end = asyncio.Event()

    async def stubborn(_: Any) -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue

    await world.queue(1)
    runner = world.runner(agent("build")(stubborn), grace_s=10)
    running = asyncio.create_task(runner.run())
    await settle()
    runner.stop()
    await world.clock.advance(13)
    await running
    assert await world.state() == "queued"
    end.set()
    await settle()
    assert world.calls.completes == []


async def test_tasks_claimed_while_stopping_are_given_back(world: World, gate: Gate) -> None:
    world.calls.gate = asyncio.Event()
    await world.queue(1)
    runner = world.runner(gate.agent)
    running = asyncio.create_task(runner.run())
    await settle()
    runner.stop()
    await settle()
    assert not running.done()
    world.calls.gate.set()
    await running
    assert gate.contexts == []
    assert await world.state() == "queued"


async def test_a_runner_that_is_cancelled_hands_its_tasks_back(world: World, gate: Gate) -> None:
    await world.queue(1)
    running = asyncio.create_task(world.runner(gate.agent).run())
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gate.ended == ["cancelled"]
    assert await world.state() == "queued"
    assert await world.backend.kv.scan("presence:", world.clock.now_ms()) == {}


async def test_an_error_beside_a_runner_hands_its_tasks_back_at_once(
    world: World, gate: Gate
) -> None:
    await world.queue(1)
    runner = await world.runner(gate.agent).__aenter__()
    await settle()
    await runner.__aexit__(ZeroDivisionError)
    assert gate.ended == ["cancelled"]
    assert await world.state() == "queued"


async def test_a_task_that_breaks_the_runners_own_code_is_left_to_be_lost(
    world: World, gate: Gate
) -> None:
    async def broken(_: Any) -> bytes:
        raise RuntimeError("a bug")

    await world.queue(1)
    runner = world.runner(gate.agent, lease_s=9.0)
    runner._work.perform = broken  # type: ignore[method-assign]
    async with runner:
        await world.clock.advance(10)
        (record,) = await samples.inspected(world.backend, WORKFLOW)
    assert record.state == "leased"
    assert record.expires_at_ms is not None
    assert record.expires_at_ms < world.clock.now_ms()


async def test_a_runner_ends_even_when_it_cannot_say_goodbye(world: World, gate: Gate) -> None:
    await world.queue(1)
    runner = world.runner(gate.agent, grace_s=1)
    running = asyncio.create_task(runner.run())
    await settle()
    runner.stop()
    world.calls.failures = 1_000
    await world.clock.advance(1)
    await running
    assert world.calls.releases == []


async def test_a_runner_stopped_before_it_ran_ends_at_once(world: World) -> None:
    runner = world.runner(build)
    runner.stop()
    await world.queue(1)
    await runner.run()
    assert await world.state() == "queued"


async def test_what_is_told_after_an_agent_was_left_is_dropped(world: World) -> None:
    kept: list[AgentContext] = []

    async def leaking(task: Any, ctx: AgentContext) -> Any:
        kept.append(ctx)
        return task

    await world.queue(1)
    async with world.runner(agent("build")(leaking)):
        await world.result()
        await kept[0].log("too late")
        await kept[0].delta("too late")
    assert await world.notes() == []


# --- what others see --------------------------------------------------------------------------


async def test_a_runner_says_who_it_is_and_what_it_serves(world: World, gate: Gate) -> None:
    started_at_ms = world.clock.now_ms()
    await world.queue(1)
    async with world.runner(gate.agent, limit=7):
        await world.clock.advance(5)
        (told,), _ = await signs_of_life(world.backend.kv, AGENTS, world.clock.now_ms())
        served = told["agents"]["build"]
        assert (told["holder"], told["host"], told["pid"]) == ("runner-1", "host", 42)
        assert told["started_at_ms"] == started_at_ms
        assert served["version"] == "1.0.0"
        assert served["lanes"] == ["build@1.0"]
        assert (served["limit"], served["running"]) == (7, 1)
        assert served["queued"]["count"] == 1
        gate.opened.set()
        await world.result()
    assert await world.backend.kv.scan("presence:", world.clock.now_ms()) == {}


async def test_presence_lives_on_while_the_runner_does_and_no_longer(world: World) -> None:
    running = asyncio.create_task(world.runner(build).run())
    await world.clock.advance(60)
    kv, now_ms = world.backend.kv, world.clock.now_ms()
    assert [len(found) for found in await signs_of_life(kv, AGENTS, now_ms)] == [1, 0]
    assert [len(found) for found in await signs_of_life(kv, AGENTS, now_ms + 15_000)] == [0, 1]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_presence_that_cannot_be_told_is_told_later(world: World) -> None:
    set_, broken = world.backend.kv.set, [False]

    async def flaky(*arguments: Any) -> None:
        if broken[0]:
            raise Unreachable("kv")
        await set_(*arguments)

    world.backend.kv.set = flaky  # type: ignore[method-assign]
    async with world.runner(build):
        broken[0] = True
        await world.clock.advance(20)
        assert (await signs_of_life(world.backend.kv, AGENTS, world.clock.now_ms()))[0] == []
        broken[0] = False
        await world.clock.advance(5)
        alive, _ = await signs_of_life(world.backend.kv, AGENTS, world.clock.now_ms())
        assert [sign["holder"] for sign in alive] == ["runner-1"]


async def test_contracts_are_registered_before_anything_is_claimed(world: World) -> None:
    async with world.runner(build):
        body = await world.backend.registry.get("contract", build.contract.hash)
    assert body is not None
    assert type(build.contract).model_validate_json(body) == build.contract


@agent("build", version="1.0.0")
async def changed(task: str) -> str:
    return task


async def test_a_contract_that_changed_under_its_version_is_refused(world: World) -> None:
    async with world.runner(build):
        pass
    with pytest.raises(Conflict, match=r"agent build 1.0.0 .* Bump the agent's version"):
        async with world.runner(changed):
            raise AssertionError


async def test_in_development_a_changed_contract_is_registered_beside(world: World) -> None:
    async with world.runner(build), world.runner(changed, development=True):
        entries = await world.backend.registry.list("contract")
    assert [entry.version for entry in entries] == [
        "1.0.0",
        f"1.0.0+dev.{changed.contract.hash[:8]}",
    ]


async def test_one_runner_serves_one_version_of_an_agent(world: World) -> None:
    with pytest.raises(ConfigurationError, match="process of its own"):
        world.runner(build, changed)
    with pytest.raises(ConfigurationError, match="found none"):
        world.runner()
    with pytest.raises(ConfigurationError, match="limit is 0; expected 1 or more"):
        world.runner(build, limit=0)


async def test_durations_are_counted_per_agent(world: World, gate: Gate) -> None:
    await world.queue(1)
    await world.clock.advance(3)
    async with world.runner(gate.agent) as runner:
        await settle()
        await world.clock.advance(2)
        gate.opened.set()
        result = await world.result()
    served = runner._roster.served[0]
    assert result.usage == {"duration_ms": 2_000, "queued_ms": 3_000}
    assert (served.queued.sum_ms, served.duration.sum_ms) == (3_000, 2_000)
    assert replace(world.backend, tasks=world.calls) == world.backend

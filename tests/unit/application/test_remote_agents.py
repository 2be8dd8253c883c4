"""The runner of agents in a process that reaches the store through a desk alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from stagewright.application.agents import AgentError, agent
from stagewright.application.context import AgentContext
from stagewright.application.remote_agents import remote_backend
from stagewright.application.runner import AgentRunner
from stagewright.application.runner_options import RunnerOptions
from stagewright.application.runner_presence import Identity
from stagewright.domain.errors import Conflict, OutcomeUnknown, UsageError
from stagewright.ports.agent_desk import Claimed, ClaimRequest
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Topic
from stagewright.testing.clock import settle
from tests.unit.application.desks import Desk, opened
from tests.unit.application.world import World


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    await world.register()
    async with opened(world) as made:
        yield made


def backend_of(desk: Desk, *agents: str, through: Any = None) -> Backend:
    lanes = [f"{name}@1.0" for name in agents]
    return remote_backend("http://x", through or desk.desk, desk.means, desk.world.ids, lanes)


@asynccontextmanager
async def serving(desk: Desk, *agents: Any, through: Any = None) -> AsyncIterator[AgentRunner]:
    """Run a runner that has no store, until the block ends."""
    names = [one.name for one in agents]
    parts = (desk.world.clock, desk.world.ids, desk.world.randomness)
    runner = AgentRunner(
        backend_of(desk, *names, through=through),
        dict.fromkeys(agents, 2),
        *parts,
        options=RunnerOptions(inline_bytes=1_000),
        identity=Identity("host:7:abc", "host", 7),
    )
    async with runner:
        await settle()
        yield runner


@agent("build")
async def build(given: Any, ctx: AgentContext) -> Any:
    await ctx.log("building", attempt=ctx.attempt)
    await ctx.delta("so far ")
    call = await ctx.tool_call("saw", {"wood": 1})
    await ctx.tool_result(call, "cut")
    await ctx.artifact("plan.txt", b"a plan")
    ctx.use(output_tokens=3)
    return {"made": given}


@agent("check")
async def check(given: Any) -> Any:
    return given


async def status(desk: Desk, workflow_id: str) -> str:
    return (await desk.world.queries.show(workflow_id)).status


async def test_a_workflow_is_done_by_agents_that_have_no_store(desk: Desk) -> None:
    async with serving(desk, build, check):
        workflow_id = await desk.world.start("x")
        await settle()
        view = await desk.world.queries.show(workflow_id)
    assert (view.status, view.output) == ("completed", {"made": "x"})
    notes = (await desk.world.queries.log(workflow_id, "notes")).records
    assert [note["kind"] for note in notes] == ["log", "tool_call", "tool_result", "artifact"]
    assert await desk.world.backend.blobs.get(workflow_id, notes[3]["hash"]) == b"a plan"


async def test_they_are_seen_and_say_goodbye(desk: Desk) -> None:
    async with serving(desk, build):
        (view,) = (await desk.world.queries.system()).agents
        assert (view.holder, view.pid) == ("http:host:7:abc", 7)
        assert view.agents["build"]["limit"] == 2
    assert (await desk.world.queries.system()).agents == []


async def test_big_inputs_and_outputs_travel_beside(desk: Desk) -> None:
    big = "x" * 100_000
    async with serving(desk, build, check):
        workflow_id = await desk.world.start(big)
        await settle()
        view = await desk.world.queries.show(workflow_id)
    assert view.status == "completed"
    assert view.output["$blob"]["bytes"] == len(big) + len('{"made":""}')


async def test_failures_and_feedback_are_as_elsewhere(desk: Desk) -> None:
    seen: list[Any] = []

    @agent("build")
    async def picky(_: Any, ctx: AgentContext) -> int:
        seen.append([(f.outcome, f.errors[0]["type"]) for f in ctx.feedback])
        if ctx.attempt == 1:
            return "no number"  # type: ignore[return-value]
        raise AgentError("Hoarse", "no voice")

    async with serving(desk, picky):
        workflow_id = await desk.world.start("x")
        await settle()
        view = await desk.world.queries.show(workflow_id)
    assert seen[:2] == [[], [("invalid", "contract_violation")]]
    assert view.waiting[0].kind == "retry"


async def test_a_cancelled_workflow_interrupts_its_agent_at_once(desk: Desk) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @agent("build")
    async def slow(_: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(desk, slow):
        workflow_id = await desk.world.start()
        await begun.wait()
        await desk.world.command(workflow_id, "cancel")
        await settle()
        assert ended.is_set()


async def test_leases_are_renewed_while_an_agent_works(desk: Desk) -> None:
    go_on = asyncio.Event()

    @agent("build")
    async def slow(_: Any) -> Any:
        await go_on.wait()

    async with serving(desk, slow):
        workflow_id = await desk.world.start()
        await desk.world.clock.advance(100)
        (record,) = await desk.world.records(workflow_id)
        assert record.expires_at_ms is not None
        assert record.expires_at_ms > desk.world.clock.now_ms()
        go_on.set()
        await settle()
    assert (await desk.world.state(workflow_id)).current_stage == "check"


async def test_tasks_in_hand_are_given_back_at_the_end(desk: Desk) -> None:
    @agent("build")
    async def slow(_: Any) -> Any:
        await asyncio.Event().wait()

    async with serving(desk, slow) as runner:
        workflow_id = await desk.world.start()
        await settle()
        runner.stop()
        await desk.world.clock.advance(30)
    assert await desk.world.tasks(workflow_id) == {"build/1/1": "queued"}


class Lossy:
    """A desk whose first answers are lost on their way."""

    def __init__(self, desk: Any, *lost: str) -> None:
        self._desk, self._lost = desk, list(lost)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._desk, name)
        if name not in self._lost:
            return call

        async def lost(*given: Any) -> Any:
            answer = await call(*given)
            if name in self._lost and (name != "claim" or answer.tasks):
                self._lost.remove(name)
                raise OutcomeUnknown("desk")
            return answer

        return lost


@pytest.mark.parametrize("what", ["claim", "finish", "emit"])
async def test_a_lost_answer_costs_a_moment_and_nothing_is_done_twice(
    desk: Desk, what: str
) -> None:
    async with serving(desk, build, check, through=Lossy(desk.desk, what)):
        workflow_id = await desk.world.start("x")
        await desk.world.clock.advance(5)
        view = await desk.world.queries.show(workflow_id)
    assert view.status == "completed"
    assert [stage.attempt for stage in view.stages] == [1, 1]
    notes = (await desk.world.queries.log(workflow_id, "notes")).records
    assert [note["number"] for note in notes] == [1, 2, 3, 4]


async def test_deltas_reach_whoever_watches(desk: Desk) -> None:
    async with desk.world.backend.bus.subscribe(Topic.DELTAS) as messages, serving(desk, build):
        await desk.world.start("x")
        heard = orjson.loads((await anext(aiter(messages))).body)
    assert heard["text"] == "so far "


async def test_other_types_under_a_known_version_keep_a_runner_from_serving(desk: Desk) -> None:
    async with serving(desk, build):
        pass

    @agent("build")
    async def other(given: int) -> int:
        return given

    with pytest.raises(Conflict, match="registered with other types"):
        async with serving(desk, other):
            pass


async def test_what_one_agent_got_is_kept_when_another_cannot_be_asked(desk: Desk) -> None:
    failures = [OutcomeUnknown("desk")] * 2

    class Half:
        async def claim(self, name: str, request: ClaimRequest) -> Claimed:
            if name == "check" and failures:
                raise failures.pop()
            return await desk.desk.claim(name, request)

        def __getattr__(self, name: str) -> Any:
            return getattr(desk.desk, name)

    async with serving(desk, build, check, through=Half()):
        workflow_id = await desk.world.start()
        await desk.world.clock.advance(10)
    assert await status(desk, workflow_id) == "completed"


async def test_what_lies_out_of_reach_says_so(desk: Desk) -> None:
    backend = backend_of(desk, "build")
    with pytest.raises(UsageError, match="cannot reach the store"):
        await backend.store.load(["p00-1"])
    with pytest.raises(UsageError, match="hints alone"):
        async with backend.bus.subscribe(Topic.DELTAS):
            pass

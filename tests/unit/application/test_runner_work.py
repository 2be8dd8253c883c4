from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from stagewright.application.agents import AgentError, Fatal, Labelled, agent, outcome
from stagewright.application.context import AgentContext, SyncAgentContext
from stagewright.application.context_facts import Feedback
from stagewright.domain.envelope import BlobRef
from stagewright.domain.errors import Unreachable
from tests.unit.application.runners import WORKFLOW, World, errors_of, opened

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one:
        yield one


class Order(BaseModel):
    name: str


class Service(BaseModel):
    files: int


@agent("build", version="1.0.0", outcomes=("rework",))
async def build(task: Any) -> Any:
    return task


async def done(world: World, function: Any, value: Any = None, **task: Any) -> Any:
    """Run one task through an agent made of `function`."""
    made = agent("build", outcomes=("rework",))(function)
    await world.queue(value, **task)
    async with world.runner(made):
        return await world.result()


async def test_a_result_says_what_became_of_which_task(world: World) -> None:
    await world.queue({"n": 1}, traceparent=TRACE)
    await world.clock.advance(2)
    async with world.runner(build):
        result = await world.result()
    assert str(result.task) == f"{WORKFLOW}/build/1/1"
    assert (result.status, result.value, result.outcome) == ("success", {"n": 1}, None)
    assert result.token > 0
    assert result.source == "agent/build@1.0.0/runner-1"
    assert result.traceparent == TRACE
    assert result.usage == {"duration_ms": 0, "queued_ms": 2_000}


async def test_values_are_typed_inside_and_json_outside(world: World) -> None:
    seen: list[Any] = []

    async def typed(task: Order, ctx: AgentContext) -> Service:
        seen.extend((task, ctx.input))
        return Service(files=3)

    result = await done(world, typed, {"name": "x"})
    assert seen == [Order(name="x")] * 2
    assert result.value == {"files": 3}


async def test_the_context_knows_the_task(world: World) -> None:
    async def told(_: Any, ctx: AgentContext) -> Any:
        return [ctx.workflow_id, ctx.stage, ctx.visit, ctx.attempt, ctx.idempotency_key,
                ctx.traceparent, ctx.cancelled, list(ctx.feedback)]  # fmt: skip

    result = await done(world, told, task_id=f"{WORKFLOW}/build/2/3", traceparent=TRACE)
    key = f"{WORKFLOW}/build/2"
    assert result.value == [WORKFLOW, "build", 2, 3, key, TRACE, False, []]


async def test_a_synchronous_agent_runs_in_a_thread(world: World) -> None:
    def threaded(_: Any, ctx: SyncAgentContext) -> Any:
        ctx.log("from afar")
        return [threading.current_thread() is threading.main_thread(), ctx.stage, ctx.cancelled]

    assert (await done(world, threaded)).value == [False, "build", False]
    assert [note["message"] for note in await world.notes()] == ["from afar"]


async def test_a_synchronous_agent_may_ignore_the_context(world: World) -> None:
    assert (await done(world, lambda task: task + 1, 1)).value == 2


async def test_an_agent_may_end_with_a_declared_label(world: World) -> None:
    async def judge(task: Any) -> Labelled[int]:
        return outcome("rework", len(task))

    result = await done(world, judge, "abc")
    assert (result.outcome, result.value) == ("rework", 3)


async def test_an_undeclared_label_breaks_the_contract(world: World) -> None:
    async def judge(task: Any) -> Labelled[Any]:
        return outcome("surprise", task)

    result = await done(world, judge)
    assert result.status == "failure"
    assert errors_of(result) == [("contract_violation", "outcome")]
    assert "approved, ok, rejected, rework" in result.errors[0]["message"]


async def test_what_an_agent_raises_is_its_failure(world: World) -> None:
    async def broken(_: Any) -> Any:
        raise ZeroDivisionError("by zero")

    result = await done(world, broken)
    assert (result.status, result.value) == ("failure", None)
    assert result.errors == ({"type": "ZeroDivisionError", "message": "by zero"},)


async def test_an_agents_own_error_keeps_its_type_and_details(world: World) -> None:
    async def limited(_: Any) -> Any:
        raise AgentError("rate_limited", "later", retry_after_s=3, type="ignored")

    result = await done(world, limited)
    assert result.errors == ({"type": "rate_limited", "message": "later", "retry_after_s": 3},)


async def test_a_fatal_error_is_marked_final(world: World) -> None:
    async def hopeless(_: Any) -> Any:
        raise Fatal("no such branch")

    assert (await done(world, hopeless)).errors[0]["final"] is True


@pytest.mark.parametrize("details", [{"x": object()}, {"x": "y" * 20_000}])
async def test_details_that_cannot_travel_are_left_out(world: World, details: Any) -> None:
    async def failing(_: Any) -> Any:
        raise AgentError("odd", "it is", **details)

    assert (await done(world, failing)).errors == ({"type": "odd", "message": "it is"},)


async def test_a_group_of_one_exception_is_that_exception(world: World) -> None:
    async def grouped(_: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            raise Fatal("inside")

    assert (await done(world, grouped)).errors[0]["type"] == "Fatal"


async def test_leaving_the_process_is_a_failure_of_the_agent_alone(world: World) -> None:
    async def leaving(_: Any) -> Any:
        raise SystemExit(3)

    assert list(errors_of(await done(world, leaving))) == [
        ("SystemExit", "the agent exited with 3")
    ]


async def test_an_agent_that_cancels_itself_has_failed(world: World) -> None:
    async def cancelling(_: Any) -> Any:
        raise asyncio.CancelledError

    assert (await done(world, cancelling)).errors[0]["type"] == "CancelledError"


async def test_long_and_broken_messages_are_cut_and_mended(world: World) -> None:
    async def chatty(_: Any) -> Any:
        raise ValueError("\ud800" + "x" * 10_000)

    message = (await done(world, chatty)).errors[0]["message"]
    assert message.startswith("?x")
    assert len(message) == 2_000


async def test_an_input_that_does_not_fit_is_not_given_to_the_agent(world: World) -> None:
    async def never(_: Order) -> Any:
        raise AssertionError

    result = await done(world, never, {"name": 5})
    assert errors_of(result) == [("input_invalid", "name")]


async def test_an_output_that_does_not_fit_breaks_the_contract(world: World) -> None:
    async def wrong(_: Any) -> Service:
        return {"files": "many"}  # type: ignore[return-value]

    result = await done(world, wrong)
    assert result.status == "failure"
    assert errors_of(result) == [("contract_violation", "files")]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), ""), ({"x": {1, 2}}, ""), (2**70, ""), ("\ud800", ""), (nested(61), ""),
        ({"$blob": {"hash": "x"}}, "$blob"),
    ],
    ids=["nan", "set", "huge", "surrogate", "deep", "reserved"],
)  # fmt: skip
async def test_an_output_that_cannot_travel_breaks_the_contract(
    world: World, value: Any, path: str
) -> None:
    async def odd(_: Any) -> Any:
        return value

    assert errors_of(await done(world, odd)) == [("contract_violation", path)]


async def test_a_task_that_cannot_be_read_fails(world: World) -> None:
    await world.queue(None, body=b'{"no":"input"}')
    async with world.runner(build):
        assert (await world.result()).errors[0]["type"] == "task_invalid"


async def test_a_big_output_travels_as_a_reference(world: World) -> None:
    big = "x" * 70_000
    result = await done(world, lambda _: big)
    assert result.value is None
    assert result.blob is not None
    stored = await world.backend.blobs.get(WORKFLOW, result.blob.hash)
    assert stored == orjson.dumps(big)
    assert result.blob.bytes == len(stored)


async def test_a_big_input_is_fetched(world: World) -> None:
    hash_ = await world.backend.blobs.put(WORKFLOW, b'"big"')
    result = await done(world, lambda task: task, BlobRef(hash_, 5).to_json())
    assert result.value == "big"


async def test_a_big_input_that_is_gone_is_a_failure(world: World) -> None:
    result = await done(world, lambda task: task, BlobRef("ab" * 32, 5).to_json())
    assert result.errors[0]["type"] == "blob_missing"


async def test_earlier_rounds_reach_the_agent(world: World) -> None:
    hash_ = await world.backend.blobs.put(WORKFLOW, b'"long report"')
    said = [
        {"stage": "validation", "visit": 1, "outcome": "rework", "errors": [], "output": {"n": 1}},
        {"stage": "e2e", "visit": 1, "outcome": "rework", "errors": [{"type": "T"}],
         "output": BlobRef(hash_, 13).to_json()},
    ]  # fmt: skip
    seen: list[Any] = []

    async def told(_: Any, ctx: AgentContext) -> None:
        seen.extend(ctx.feedback)

    await done(world, told, feedback=said)
    assert seen == [
        Feedback("validation", 1, "rework", (), {"n": 1}),
        Feedback("e2e", 1, "rework", ({"type": "T"},), "long report"),
    ]


async def test_a_repair_is_told_what_was_wrong(world: World) -> None:
    violation = {"type": "contract_violation", "path": "files", "message": "missing"}
    seen: list[Any] = []

    async def told(_: Any, ctx: AgentContext) -> None:
        seen.extend(ctx.feedback)

    await done(world, told, repair=[violation])
    assert seen == [Feedback("build", 1, "invalid", (violation,), None)]


async def test_what_an_agent_used_is_added_up(world: World) -> None:
    async def using(_: Any, ctx: AgentContext) -> None:
        ctx.use(input_tokens=10, cost_usd=0.5)
        ctx.use(input_tokens=5)

    usage = (await done(world, using)).usage
    assert usage == {"input_tokens": 15, "cost_usd": 0.5, "duration_ms": 0, "queued_ms": 0}


async def test_notes_are_durable_before_the_result_is_published(world: World) -> None:
    published: list[str] = []
    publish = world.backend.bus.publish

    async def watched(topic: Any, *rest: Any) -> None:
        published.append(topic.value)
        await publish(topic, *rest)

    world.backend.bus.publish = watched  # type: ignore[method-assign]

    async def telling(_: Any, ctx: AgentContext) -> None:
        await ctx.log("one")
        await ctx.delta("some")

    await done(world, telling)
    assert published == ["deltas", "notes"]
    assert world.calls.completes


async def test_an_output_waits_for_a_store_that_is_away(world: World) -> None:
    put, away = world.backend.blobs.put, [Unreachable("blobs")] * 2

    async def flaky(*arguments: Any) -> str:
        if away:
            raise away.pop()
        return await put(*arguments)

    async def big(_: Any) -> Any:
        return "x" * 70_000

    world.backend.blobs.put = flaky  # type: ignore[method-assign]
    async with world.clock.auto():  # an asynchronous agent: time would run away from a thread
        result = await done(world, big)
    assert result.blob is not None


async def test_a_fault_of_ours_is_reported_as_a_failure(world: World) -> None:
    async def broken(*_: Any) -> bytes:
        raise RuntimeError("a bug")

    world.backend.blobs.get = broken  # type: ignore[method-assign]
    result = await done(world, lambda task: task, BlobRef("ab" * 32, 5).to_json())
    assert result.errors == ({"type": "RuntimeError", "message": "a bug"},)

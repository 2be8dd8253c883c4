"""Agents over HTTP: what they claim and hand in, and what they are told when they are late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stagewright.application import desk_results
from stagewright.domain.errors import NotFound, Unreachable, ValidationFailed
from stagewright.ports.agent_desk import Lease, LeasedTask, LeaseLost, ResultDiffers, TaskResult
from stagewright.testing.clock import settle
from tests.unit.application.desks import TEXT, Desk, contract, opened
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with opened(world) as made:
        yield made


async def started(world: World, value: Any = None, **fields: Any) -> str:
    await world.register(**fields)
    return await world.start(value)


async def test_a_task_says_all_that_an_agent_must_know(desk: Desk) -> None:
    workflow_id = await started(desk.world, {"text": "hello"})
    task = await desk.task()
    assert task.task == f"{workflow_id}/build/1/1"
    assert task.idempotency_key == f"{workflow_id}/build/1"
    assert task.input == {"text": "hello"}
    assert task.feedback == []
    assert task.definition == "job@1.0.0"
    assert next(iter(task.model_dump())) == "task"  # a shell finds it without a parser
    (record,) = await desk.world.records(workflow_id)
    assert (record.state, record.holder) == ("leased", "http:node-1")


async def test_a_result_moves_its_workflow_before_the_answer(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    receipt = await desk.complete(await desk.task(), {"made": 1}, usage={"output_tokens": 7})
    assert (receipt.result, receipt.outcome) == ("complete", "ok")
    assert (await desk.task("check")).input == {"made": 1}
    (step, *_) = [s for s in (await desk.world.queries.log(workflow_id)).records if s["n"] == 2]
    usage = step["events"][0]["usage"]
    assert usage == {"output_tokens": 7, "duration_ms": 0, "queued_ms": 0}


async def test_a_result_sent_again_is_answered_as_before(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    task = await desk.task()
    first = await desk.complete(task, {"made": 1})
    step = (await desk.world.state(workflow_id)).step
    await desk.complete(await desk.task("check"))
    assert await desk.complete(task, {"made": 1}) == first
    assert (await desk.world.state(workflow_id)).step == step + 1


async def test_another_server_answers_it_as_well(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task()
    first = await desk.complete(task, 1)
    async with opened(desk.world) as other:
        assert await other.complete(task, 1) == first


async def test_another_result_with_the_same_token_is_refused(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task()
    await desk.complete(task, 1)
    with pytest.raises(ResultDiffers, match="with another result"):
        await desk.complete(task, 2)
    with pytest.raises(ResultDiffers):
        await desk.fail(task)


async def test_a_lost_lease_says_who_has_the_task_now(desk: Desk) -> None:
    await started(desk.world)
    late = await desk.task()
    await desk.expire(late)
    with pytest.raises(LeaseLost, match="back in its queue"):
        await desk.complete(late, 1)
    await desk.world.clock.advance(3)
    now = await desk.task(holder="node-2")
    with pytest.raises(LeaseLost, match="http:node-2 has held the task since") as caught:
        await desk.complete(late, 1)
    assert caught.value.since_ms == desk.world.clock.now_ms()
    assert (await desk.complete(now, 1)).result == "complete"
    with pytest.raises(ResultDiffers):
        await desk.complete(late, 2)


async def test_a_lease_of_a_cancelled_workflow_says_so(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    task = await desk.task()
    await desk.world.command(workflow_id, "cancel")
    with pytest.raises(LeaseLost, match="the workflow is cancelled"):
        await desk.complete(task, 1)
    (extended,) = await desk.desk.extend([Lease(task=task.task, token=task.token)], 30)
    assert extended.expires_at_ms is None
    assert extended.reason == "the workflow is cancelled"


async def test_a_token_that_was_never_given_is_told_apart(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task()
    with pytest.raises(LeaseLost, match="never given"):
        await desk.complete(task.model_copy(update={"token": task.token + 9}), 1)


@pytest.mark.parametrize("task", ["nonsense", "p00-1/build/1", "p00-1/build/x/1"])
async def test_what_is_no_task_is_refused(desk: Desk, task: str) -> None:
    with pytest.raises(ValidationFailed, match="is no task"):
        await desk.desk.finish(task, TaskResult(token=1))


async def test_a_task_of_an_unknown_workflow_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound, match="workflow"):
        await desk.desk.finish("p00-" + "0" * 32 + "/build/1/1", TaskResult(token=1))


async def test_a_lease_survives_the_server_that_gave_it(desk: Desk) -> None:
    await started(desk.world)
    async with opened(desk.world) as first:
        task = await first.task(lease_s=10)
    await desk.world.clock.advance(9)
    (extended,) = await desk.desk.extend([Lease(task=task.task, token=task.token)], 10)
    assert extended.expires_at_ms == desk.world.clock.now_ms() + 10_000
    assert (await desk.complete(task, 1)).result == "complete"


async def test_a_released_task_goes_to_the_next_and_counts_as_no_loss(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task()
    for _ in range(2):
        await desk.desk.release(Lease(task=task.task, token=task.token))
    again = await desk.task(holder="node-2")
    assert (again.task, again.lost) == (task.task, 0)


async def test_an_output_that_breaks_the_contract_is_told_to_the_next_attempt(desk: Desk) -> None:
    await started(desk.world, {"text": "a"}, contracts=[contract("build"), contract("check")])
    task = await desk.task()
    receipt = await desk.complete(task, {"text": 3})
    assert receipt.result == "invalid"
    assert receipt.problems[0]["path"] == "text"
    again = await desk.task()
    assert again.attempt == 2
    assert again.feedback[-1]["outcome"] == "invalid"
    assert again.feedback[-1]["errors"] == receipt.problems
    assert await desk.complete(task, {"text": 3}) == receipt
    assert (await desk.complete(again, {"text": "b"})).result == "complete"


async def test_a_label_that_the_contract_does_not_declare_is_a_violation(desk: Desk) -> None:
    await started(desk.world, {"text": "a"}, contracts=[contract("build"), contract("check")])
    receipt = await desk.complete(await desk.task(), {"text": "b"}, outcome="odd")
    assert receipt.result == "invalid"
    assert receipt.problems[0]["path"] == "outcome"


async def test_without_contracts_in_the_definition_those_of_the_agents_count(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    await desk.means.register_contract(contract("build").model_dump())
    await desk.means.register_contract({"name": "build", "version": "2.0.0"})
    assert (await desk.claim()).tasks == []  # its input is null, which build 1.0.0 does not take
    assert (await desk.world.queries.show(workflow_id)).status == "failed"


async def test_an_input_that_breaks_the_contract_is_given_to_nobody(desk: Desk) -> None:
    contracts = [contract("build"), contract("check")]
    workflow_id = await started(desk.world, {"text": 7}, contracts=contracts)
    assert (await desk.claim()).tasks == []
    view = await desk.world.queries.show(workflow_id)
    assert view.status == "failed"
    assert view.errors[0]["type"] == "input_invalid"


async def test_a_failure_is_tried_again_and_a_final_one_is_not(desk: Desk) -> None:
    retried = agent("build", retry={"attempts": 3, "delay_s": 0})
    await desk.world.register(retried)
    await desk.world.start()
    receipt = await desk.fail(await desk.task(), "Hoarse")
    assert (receipt.result, receipt.problems[0]["type"]) == ("retry", "Hoarse")
    assert receipt.retry_at_ms == desk.world.clock.now_ms()
    final = await desk.fail(await desk.task(), "Broken", final=True)
    assert (final.result, final.outcome) == ("complete", "failed")


async def test_a_result_during_a_pause_is_recorded_and_answered_so_ever_after(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    task = await desk.task()
    await desk.world.command(workflow_id, "pause")
    receipt = await desk.complete(task, 1)
    assert receipt.result == "recorded"
    await desk.world.command(workflow_id, "resume")
    assert await desk.complete(task, 1) == receipt
    assert (await desk.task("check")).input == 1


async def test_a_big_output_travels_as_a_reference_and_comes_back_whole(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    big = "x" * 100_000
    await desk.complete(await desk.task(), big)
    assert "$blob" in (await desk.world.queries.show(workflow_id)).stage_outputs["build"]
    task = await desk.task("check", inline_bytes=1_000)
    reference = task.input["$blob"]
    lease = Lease(task=task.task, token=task.token)
    assert await desk.means.get_blob(lease, reference["hash"]) == b'"' + big.encode() + b'"'
    await desk.desk.release(lease)
    assert (await desk.task("check")).input == big


async def test_a_reference_to_what_was_never_put_is_refused(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task()
    unknown = {"$blob": {"hash": "0" * 64, "bytes": 5}}
    with pytest.raises(NotFound, match="payload"):
        await desk.complete(task, unknown)
    lease = Lease(task=task.task, token=task.token)
    hash_ = await desk.means.put_blob(lease, b'{"a":1}')
    await desk.complete(task, {"$blob": {"hash": hash_, "bytes": 7}})
    assert (await desk.task("check")).input == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"outcome": "No Label"}, "data.outcome"),
        ({"status": "failure"}, "data.errors"),
        ({"status": "failure", "errors": [{"type": "x"}]}, "data.errors"),
        ({"usage": {"tokens": -1}}, "data.usage.tokens"),
        ({"output": {"a": float("nan")}}, "nan"),
    ],
)
async def test_a_malformed_result_names_the_field_and_costs_nothing(
    desk: Desk, fields: dict[str, Any], where: str
) -> None:
    await started(desk.world)
    task = await desk.task()
    with pytest.raises(ValidationFailed, match=where):
        await desk.desk.finish(task.task, TaskResult(token=task.token, **fields))
    assert (await desk.complete(task, 1)).result == "complete"


async def test_a_claim_sent_again_gets_the_same_leases(desk: Desk) -> None:
    contracts = [contract("build"), contract("check")]
    await started(desk.world, {"text": "a"}, contracts=contracts)
    await desk.world.start({"text": "b"})
    first = await desk.claim(slots=5, claim_id="c-1")
    await desk.world.clock.advance(5)
    async with opened(desk.world) as other:
        again = await other.claim(slots=5, claim_id="c-1")
    assert len(first.tasks) == 2
    assert [_lasting(task) for task in again.tasks] == [_lasting(task) for task in first.tasks]
    assert again.tasks[0].expires_at_ms == first.tasks[0].expires_at_ms + 5_000


async def test_a_claim_is_over_when_its_tasks_are(desk: Desk) -> None:
    await started(desk.world)
    task = await desk.task(claim_id="c-1")
    await desk.complete(task)
    assert (await desk.claim(claim_id="c-1")).tasks == []
    await desk.world.start()
    assert (await desk.task(claim_id="c-1")).task != task.task


async def test_two_claims_with_one_id_at_once_get_one_set_of_leases(desk: Desk) -> None:
    await desk.world.register()
    polls = [asyncio.create_task(desk.claim(claim_id="c-1", wait_s=20)) for _ in range(2)]
    await settle()
    await desk.world.start()
    await desk.world.start()
    await settle()
    got = {tuple(task.task for task in (await poll).tasks) for poll in polls}
    assert len(got) == 1
    assert len(await desk.world.claim("build")) == 1


async def test_the_lanes_of_a_version_are_its_minors(desk: Desk) -> None:
    await desk.world.register(agent("build") | {"agent": "build@^1.2"})
    await desk.world.start()
    assert (await desk.claim(version="1.1")).tasks == []
    assert (await desk.claim(version="2")).tasks == []
    assert len((await desk.claim(version="^1.3.0")).tasks) == 1


async def test_the_agent_of_a_task_is_what_its_definition_says(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    assert await desk.desk.agent_of(f"{workflow_id}/check/1/1") == "check"
    with pytest.raises(NotFound):
        await desk.desk.agent_of(f"{workflow_id}/nowhere/1/1")


async def test_contracts_are_registered_and_read(desk: Desk) -> None:
    view = await desk.means.register_contract(contract("build").model_dump())
    assert view.input == TEXT
    assert await desk.means.contracts("build") == [view]
    with pytest.raises(ValidationFailed, match="version"):
        await desk.means.register_contract({"name": "build", "version": "one"})


def _lasting(task: LeasedTask) -> Any:
    return task.model_dump(exclude={"expires_at_ms"})


async def test_a_duty_that_breaks_is_begun_again(desk: Desk, world: World) -> None:
    await started(world)
    task = await desk.task()
    attempt = desk.desk._deciding._processor.attempt
    failures = [RuntimeError("odd")]

    async def odd(*given: Any) -> Any:
        if failures:
            raise failures.pop()
        return await attempt(*given)

    desk.desk._deciding._processor.attempt = odd  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="RuntimeError"):
        await desk.complete(task, 1)
    assert (await desk.complete(task, 1)).result == "complete"


async def test_who_waits_for_an_answer_when_the_server_stops_is_told_to_ask_again(
    world: World,
) -> None:
    await started(world)
    async with opened(world) as desk:
        task = await desk.task()
        desk.desk._deciding._processor.attempt = _never  # type: ignore[method-assign]
        waiting = asyncio.create_task(desk.complete(task, 1))
        await settle()
    with pytest.raises(Unreachable, match="its server stops"):
        await waiting


async def _never(*_: Any) -> Any:
    await asyncio.Event().wait()


async def test_a_claim_that_fails_half_way_leaves_nothing_leased(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    desk.desk.promises.of = _never  # type: ignore[method-assign]
    claiming = asyncio.create_task(desk.claim())
    await settle()
    assert await desk.world.tasks(workflow_id) == {"build/1/1": "leased"}
    claiming.cancel()
    await settle()
    assert await desk.world.tasks(workflow_id) == {"build/1/1": "queued"}


async def test_what_a_client_did_not_hear_of_is_given_back(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    desk.desk.give_back_soon((await desk.claim()).tasks)
    await settle()
    assert await desk.world.tasks(workflow_id) == {"build/1/1": "queued"}


async def test_a_task_whose_payload_is_gone_is_given_to_nobody(desk: Desk) -> None:
    workflow_id = await started(desk.world)
    await desk.complete(await desk.task(), "x" * 100_000)
    desk.desk._backend.blobs.get = _nothing  # type: ignore[method-assign]
    assert (await desk.claim("check")).tasks == []
    view = await desk.world.queries.show(workflow_id)
    errors = [stage.errors for stage in view.stages if stage.name == "check"]
    assert view.waiting == [] or view.waiting[0].kind == "retry"
    assert "blob_missing" in str(errors) + str(view.waiting)


async def test_a_long_log_is_searched_from_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_id = await started(desk.world)
    task = await desk.task()
    first = await desk.complete(task, 1)
    for number in range(7):
        await desk.world.command(workflow_id, "signal", name=f"s{number}")
    monkeypatch.setattr(desk_results, "PAGE", 3)
    assert await desk.complete(task, 1) == first
    monkeypatch.setattr(desk_results, "PAGES", 2)
    with pytest.raises(LeaseLost, match="nothing waits for the task"):
        await desk.complete(task, 1)


async def _nothing(*_: Any) -> None:
    return None

"""Folding messages of one workflow into one commit."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from stagewright.application.live import Live
from stagewright.application.stepper import FETCH_LIMIT_BYTES, OutputTooBig, Stepper, supply
from stagewright.domain import messages as m
from stagewright.domain.events import decode_step
from stagewright.domain.ids import TaskId
from stagewright.domain.outputs import OutputMissing, Outputs
from stagewright.domain.snapshot import decode_state
from stagewright.domain.stage_result import BlobRef
from tests.unit.application.world import World, dumps
from tests.unit.domain.kernel import agent, parallel, wait


async def stepper(world: World, workflow_id: str) -> tuple[Stepper, Live]:
    world.lives.clear()
    live = (await world.lives.get([workflow_id]))[workflow_id]
    return Stepper(workflow_id, live.compiled, live, world.ids, world.randomness), live


async def begun(world: World, *stages: dict[str, Any], **fields: Any) -> Stepper:
    await world.register(*stages, **fields)
    made, _ = await stepper(world, await world.start({"n": 1}))
    return made


def ok(made: Stepper, stage: str, value: Any = None) -> m.Result:
    return m.Result(TaskId(made.workflow_id, stage, 1, 1), True, dumps(value))


async def test_a_step_rests_on_the_one_before_and_is_numbered_after_it(world: World) -> None:
    made = await begun(world)
    assert made.before is not None
    made.apply(ok(made, "build"), "result 1", world.clock.now_ms())
    commit = made.commit()
    assert commit.expected_step_id == made.before.step_id
    assert commit.step_id not in ("", made.before.step_id)
    assert commit.first_step == 2
    (step,) = map(decode_step, commit.log)
    assert (step.n, step.id, step.cause) == (2, commit.step_id, "result 1")
    assert decode_state(commit.snapshot).step_id == commit.step_id


async def test_messages_of_one_workflow_fold_into_one_commit(world: World) -> None:
    made = await begun(world, parallel("fan", [agent("a")], [agent("b")]))
    for stage in ("a", "b"):
        made.apply(ok(made, stage, stage), f"result {stage}", world.clock.now_ms())
    commit = made.commit()
    assert [decode_step(body).n for body in commit.log] == [2, 3]
    assert commit.first_step == 2
    assert set(commit.outputs) == {"a/1", "b/1", "fan/1"}
    assert commit.index is not None
    assert commit.index.status == "completed"


async def test_what_is_new_in_flight_is_queued_and_what_is_over_is_closed(world: World) -> None:
    made = await begun(world, agent("build"), wait("nap", for_s=5), deadline_s=60)
    made.apply(ok(made, "build"), "r", world.clock.now_ms())
    commit = made.commit()
    assert commit.closed_tasks == (f"{made.workflow_id}/build/1/1",)
    assert commit.timers == {"timer/nap/1": world.clock.now_ms() + 5_000}
    assert commit.cleared_timers == ()
    assert commit.new_tasks == ()


async def test_the_end_clears_every_timer(world: World) -> None:
    made = await begun(world, wait("nap", for_s=5), deadline_s=60)
    made.apply(m.CancelWorkflow("c" * 32, "ann"), "c", world.clock.now_ms())
    assert set(made.commit().cleared_timers) == {"deadline", "timer/nap/1"}


async def test_a_new_task_carries_lane_priority_timeout_and_body(world: World) -> None:
    made = await begun(world, agent("build"), agent("check", timeout_s=9), priority=1)
    made.apply(ok(made, "build", {"n": 5}), "r", world.clock.now_ms())
    (task,) = made.commit().new_tasks
    assert task.task_id == f"{made.workflow_id}/check/1/1"
    assert (task.lane, task.priority, task.timeout_s) == ("check@1.0", 1, 9.0)
    assert b'"input":{"n":5}' in task.body


async def test_a_message_that_changes_nothing_makes_no_step(world: World) -> None:
    made = await begun(world)
    decision = made.apply(ok(made, "check"), "r", world.clock.now_ms())
    assert decision.remark
    assert not made.changed


async def test_stale_timers_and_tasks_are_cleared_without_a_step(world: World) -> None:
    made = await begun(world, deadline_s=60)
    made.stale_timers += ["timer/old/1", "deadline"]
    made.stale_tasks += ["gone/1/1", f"{made.workflow_id}/build/1/1"]
    commit = made.commit()
    assert made.changed
    assert (commit.log, commit.step_id) == ((), commit.expected_step_id)
    assert commit.cleared_timers == ("timer/old/1",)
    assert commit.closed_tasks == ("gone/1/1",)


async def test_the_index_is_left_alone_while_nothing_in_it_changes(world: World) -> None:
    made = await begun(world)
    made.apply(ok(made, "build"), "r", world.clock.now_ms())
    assert made.commit().index is None


async def test_pausing_suspends_queued_tasks_and_resuming_frees_them(world: World) -> None:
    made = await begun(world)
    made.apply(m.PauseWorkflow("a" * 32, "ann"), "c", world.clock.now_ms())
    assert made.commit().suspended is True
    made.apply(m.ResumeWorkflow("b" * 32, "ann"), "c", world.clock.now_ms())
    assert made.commit().suspended is None


async def test_resuming_frees_what_was_suspended_before(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "pause")
    made, _ = await stepper(world, id_)
    made.apply(m.ResumeWorkflow("f" * 32, "ann"), "c", world.clock.now_ms())
    assert made.commit().suspended is False


async def test_time_never_runs_back_within_a_workflow(world: World) -> None:
    made = await begun(world)
    made.apply(ok(made, "build"), "r", 5)
    assert made.state is not None
    assert made.before is not None
    assert made.state.updated_at_ms == made.before.updated_at_ms


async def test_a_commit_is_built_once_until_more_is_applied(world: World) -> None:
    made = await begun(world)
    made.apply(ok(made, "build"), "r", world.clock.now_ms())
    assert made.commit() is made.commit()
    made.apply(ok(made, "check"), "r", world.clock.now_ms())
    assert len(made.commit().log) == 2


async def test_nothing_can_be_committed_before_a_start(world: World) -> None:
    await world.register()
    compiled = await world.catalog.compiled(await world.catalog.resolve("job"))
    made = Stepper("p00-x", compiled, None, world.ids, world.randomness)
    for ask in (made.commit, made.live):
        with pytest.raises(ValueError, match="nothing was decided for p00-x"):
            ask()


async def test_what_was_committed_is_what_is_held_afterwards(world: World) -> None:
    made = await begun(world)
    made.apply(ok(made, "build", 5), "r", world.clock.now_ms())
    made.commit()
    live = made.live()
    assert live.state is made.state
    assert list(live.flight.tasks) == [f"{made.workflow_id}/check/1/1"]
    assert live.outputs.value("build/1") == 5


BIG = b'{"n":5}'
BLOB = BlobRef(hashlib.sha256(BIG).hexdigest(), len(BIG))


def missing(blob: BlobRef) -> OutputMissing:
    return OutputMissing("a/1", blob)


async def test_a_big_output_is_fetched_for_whoever_looks_into_it(world: World) -> None:
    outputs = Outputs({"a/1": dumps(BLOB.to_json())})
    await world.backend.blobs.put("p00-x", BIG)
    await supply(world.backend.blobs, "p00-x", outputs, missing(BLOB))
    assert outputs.value("a/1") == {"n": 5}


async def test_an_output_above_the_limit_is_not_fetched(world: World) -> None:
    huge = BlobRef(BLOB.hash, FETCH_LIMIT_BYTES + 1)
    with pytest.raises(OutputTooBig, match=f"a/1 has {huge.bytes} bytes"):
        await supply(world.backend.blobs, "p00-x", Outputs(), missing(huge))


async def test_a_blob_that_is_lost_is_named(world: World) -> None:
    with pytest.raises(OutputTooBig, match=f"lost its blob {BLOB.hash}"):
        await supply(world.backend.blobs, "p00-x", Outputs(), missing(BLOB))

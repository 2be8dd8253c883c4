"""What waiting workflows should have in flight is compared with what is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from stagewright.application import reconciler
from stagewright.application.live import Live
from stagewright.application.reconciler import QUIET_MS, Reconciler
from stagewright.domain.ids import partition_of
from stagewright.domain.stage_result import BlobRef
from stagewright.ports.commit import Commit
from tests.unit.application.test_live import make_unreadable
from tests.unit.application.world import World, dumps
from tests.unit.domain.kernel import agent, approval, parallel, wait

QUIET_S = QUIET_MS / 1_000 + 1


async def reconciled(world: World, look: Reconciler | None = None) -> int:
    look = look or Reconciler(world.backend, world.lives, world.clock)
    return sum([await look.reconcile(p) for p in range(world.backend.partitions)])


async def lose_timer(world: World, workflow_id: str, timer_id: str) -> None:
    """Remove a timer behind the back of everybody."""
    state: Any = world.backend.store
    state._state.partition_of(workflow_id).timers.drop((workflow_id, timer_id))


async def test_a_task_that_is_missing_is_queued_again(world: World) -> None:
    await world.register()
    id_ = await world.start({"n": 1})
    (before,) = await world.claim("build")
    await world.lose_record(id_)
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 1
    (task,) = await world.claim("build")
    assert (task.task_id, task.body) == (before.task_id, before.body)
    assert (await world.state(id_)).step == 1


async def test_what_is_there_is_left_exactly_as_it_is(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")], [agent("c")]))
    id_ = await world.start()
    (leased,) = await world.claim("a")
    await world.done("b")
    before = await world.records(id_)
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 0
    assert await world.records(id_) == before
    assert await world.complete(leased)


async def test_only_what_is_missing_is_emitted(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")]))
    id_ = await world.start()
    (leased,) = await world.claim("a")
    state: Any = world.backend.tasks
    lost = state._state.tasks.pop(f"{id_}/b/1/1")
    state._state.withdraw(lost)
    del state._state.workflows[id_].tasks[lost.task_id]
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 1
    assert await world.tasks(id_) == {"a/1/1": "leased", "b/1/1": "queued"}
    assert await world.complete(leased)


async def test_workflows_that_have_just_moved_are_left_alone(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.lose_record(id_)
    await world.clock.advance(QUIET_MS / 1_000)
    assert await reconciled(world) == 0


async def test_a_timer_that_should_have_fired_a_while_ago_is_set_again(world: World) -> None:
    await world.register(wait("nap", for_s=5))
    id_ = await world.start()
    await lose_timer(world, id_, "timer/nap/1")
    await world.clock.advance(5 + QUIET_S)
    assert await reconciled(world) == 1
    assert [timer.timer_id for timer in (await world.received()).timers] == ["timer/nap/1"]


async def test_timers_of_the_future_are_left_alone(world: World) -> None:
    await world.register(approval("sign", timeout_s=3_600), deadline_s=7_200)
    await world.start()
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 0


async def test_a_paused_workflow_keeps_its_tasks_out_of_their_lanes(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "pause")
    await world.lose_record(id_)
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 1
    assert await world.tasks(id_) == {"build/1/1": "suspended"}


async def test_a_finished_workflow_needs_nothing(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "cancel")
    await world.clock.advance(QUIET_S)
    assert await reconciled(world) == 0
    assert await Reconciler(world.backend, world.lives, world.clock).repair([]) == 0


async def test_a_workflow_that_moves_meanwhile_is_not_repaired(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.lose_record(id_)
    reconciler = Reconciler(world.backend, world.lives, world.clock)
    stale = (await world.lives.get([id_]))[id_]
    await world.command(id_, "signal", name="s")
    commit = await reconciler._repair(stale, set())
    assert commit is not None
    (verdict,) = await world.backend.store.commit([commit], world.clock.now_ms())
    assert verdict.value == "conflict"


async def test_only_what_was_repaired_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register()
    still, moving = await world.start(), await world.start()
    for id_ in (still, moving):
        await world.lose_record(id_)
    reconciler = Reconciler(world.backend, world.lives, world.clock)
    repair = reconciler._repair

    async def meanwhile(live: Live, present: set[str]) -> Commit | None:
        commit = await repair(live, present)
        if live.state.workflow_id == moving:
            await world.command(moving, "signal", name="s")
        return commit

    monkeypatch.setattr(reconciler, "_repair", meanwhile)
    with capture_logs() as lines:
        assert await reconciler.repair([still, moving]) == 1
        assert await reconciler.repair([moving]) == 0
    assert [line["ids"] for line in lines if line["event"] == "reconciled"] == [[still]]


async def test_a_step_between_two_looks_is_not_taken_for_a_loss(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register(agent("build"), agent("check"))
    id_ = await world.start()
    get = world.lives.get

    async def after_a_step(ids: Sequence[str]) -> dict[str, Live]:
        monkeypatch.setattr(world.lives, "get", get)
        await world.does("build")
        world.lives.drop(id_)
        return await get(ids)

    monkeypatch.setattr(world.lives, "get", after_a_step)
    assert await Reconciler(world.backend, world.lives, world.clock).repair([id_]) == 0


BIG = dumps({"n": 5})
BLOB = BlobRef(hashlib.sha256(BIG).hexdigest(), len(BIG))


async def with_big_output(world: World) -> str:
    """A stage whose template looks into a big output; its task was lost."""
    template = {"n": {"from": "stages.build.output.n"}}
    await world.register(agent("build"), agent("check", **{"with": template}))
    id_ = await world.start()
    await world.backend.blobs.put(id_, BIG)
    await world.does("build", blob=BLOB)
    await world.lose_record(id_)
    await world.clock.advance(QUIET_S)
    world.forget()
    return id_


async def test_a_big_output_is_fetched_for_the_task(world: World) -> None:
    await with_big_output(world)
    assert await reconciled(world) == 1
    (task,) = await world.claim("check")
    assert b'"input":{"n":5}' in task.body


@pytest.mark.parametrize("broken", ["lost blob", "unreadable"])
async def test_one_that_cannot_be_repaired_does_not_stop_others(world: World, broken: str) -> None:
    id_ = await with_big_output(world)
    other = await world.start()
    await world.lose_record(other)
    await world.clock.advance(QUIET_S)
    if broken == "lost blob":
        state: Any = world.backend.blobs
        state._state.blobs.clear()
    else:
        await make_unreadable(world, id_)
    world.forget()
    assert await reconciled(world) == 1
    assert (await world.tasks(id_), len(await world.tasks(other))) == ({}, 1)


async def test_leases_of_the_dead_are_put_back(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.start()
    await world.claim("build", slots=1)
    reconciler = Reconciler(world.backend, world.lives, world.clock)
    freed = [await reconciler.free_leases(p) for p in range(world.backend.partitions)]
    assert sum(freed) == 1
    assert len(await world.claim("build")) == 2
    assert sum(record.lost for record in await world.records(id_)) <= 1


async def test_a_look_is_bounded_and_the_next_one_goes_on_from_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "PAGE", 1)
    monkeypatch.setattr(reconciler, "BUDGET", 2)
    await world.register()
    ids = [await world.start() for _ in range(7)]
    for id_ in ids:
        await world.lose_record(id_)
    await world.clock.advance(QUIET_S)
    look = Reconciler(world.backend, world.lives, world.clock)
    most = max(Counter(partition_of(id_) for id_ in ids).values())
    repairs = [await reconciled(world, look) for _ in range(-(-most // 2))]
    assert repairs[0] <= 4
    assert sum(repairs) == 7


async def test_after_a_loss_everything_is_looked_at_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "PAGE", 1)
    monkeypatch.setattr(reconciler, "BUDGET", 1)
    await world.register()
    ids = [await world.start() for _ in range(6)]
    look = Reconciler(world.backend, world.lives, world.clock)
    await world.clock.advance(QUIET_S)
    await reconciled(world, look)  # a round has begun
    for id_ in ids:
        await world.lose_record(id_)
    partitions = range(world.backend.partitions)
    assert sum([await look.reconcile(p, whole=True) for p in partitions]) == 6

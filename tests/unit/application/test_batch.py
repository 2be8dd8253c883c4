"""One batch: decide, commit all in one call, deal with each verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest.mock import patch

import pytest

from stagewright.application import fold as folding
from stagewright.application.inbox import MAX_ENVELOPE_BYTES, Work, read_expired, read_timer
from stagewright.application.stepper import FETCH_LIMIT_BYTES, new_task
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import Conflict, Unreachable
from stagewright.domain.events import decode_step
from stagewright.domain.stage_result import BlobRef
from stagewright.domain.workflow import HeldWait, TaskWait
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.message_bus import DueTimer
from stagewright.ports.task_queue import Completion
from tests.unit.application.test_live import make_unreadable
from tests.unit.application.world import World, dumps
from tests.unit.domain.kernel import agent, approval, parallel, wait

NUMBER = Contract(
    name="build",
    output={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
)


class Slow:
    """A store in which somebody else is faster, before the commits that it is told to spoil."""

    def __init__(self, store: Any, first: Callable[[], Awaitable[Any]], times: int = 1) -> None:
        self._store, self._first, self.times = store, first, times
        self.calls: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commits: Sequence[Commit], now_ms: int) -> Sequence[Verdict]:
        self.calls.append(len(commits))
        if self.times > 0:
            self.times -= 1
            await self._first()
        return await self._store.commit(commits, now_ms)  # type: ignore[no-any-return]


async def test_results_of_many_workflows_are_committed_in_one_call(world: World) -> None:
    async def nothing() -> None: ...

    store = Slow(world.backend.store, nothing, times=0)
    world = world.with_ports(store=store)
    await world.register()
    ids = [await world.start() for _ in range(3)]
    for task in await world.claim("build"):
        await world.complete(task)
    store.calls.clear()
    await world.apply()
    assert store.calls == [3]
    assert [(await world.state(id_)).active_stages for id_ in ids] == [("check",)] * 3
    assert await world.inbox() == []


async def test_results_of_one_workflow_fold_into_one_commit(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")]))
    id_ = await world.start()
    for task in await world.claim("a", "b"):
        await world.complete(task)
    await world.apply()
    assert [decode_step(b).n for b in await world.backend.store.log(id_)] == [1, 2, 3]
    assert (await world.state(id_)).status == "completed"


async def test_a_conflict_is_decided_again_on_the_newer_state(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [wait("b", signal="s")]))
    id_ = await world.start()
    await world.lives.get([id_])
    await world.done("a")

    async def faster() -> None:
        await world.command(id_, "signal", name="s")

    other = world.with_ports(store=Slow(world.backend.store, faster))
    await other.lives.get([id_])
    await other.apply()
    assert (await world.state(id_)).status == "completed"
    assert await world.inbox() == []


async def test_a_workflow_that_keeps_moving_is_read_again(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.done("build")

    async def faster() -> None:
        await world.command(id_, "signal", name="s")

    other = world.with_ports(store=Slow(world.backend.store, faster, times=99))
    with pytest.raises(Conflict, match="1 workflows kept moving"):
        await other.apply()
    assert len(await world.inbox()) == 1


async def test_a_stale_token_is_fenced_and_becomes_a_dead_letter(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (old,) = await world.claim("build")
    await world.lose_lease(old)
    (new,) = await world.claim("build")
    await world.publish(id_, world.envelope(old, "late"))
    await world.apply()
    assert await world.reasons() == ["stale token: the task was claimed by another since"]
    assert (await world.state(id_)).step == 1
    assert await world.complete(new, "right")


async def test_one_fenced_result_does_not_take_others_of_its_workflow_along(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")]))
    id_ = await world.start()
    (stale,) = await world.claim("a")
    await world.lose_lease(stale)
    await world.claim("a")
    await world.publish(id_, world.envelope(stale))
    await world.done("b")
    await world.apply()
    assert len(await world.letters()) == 1
    assert (await world.state(id_)).active_stages == ("a", "fan")
    assert await world.inbox() == []


async def test_a_result_of_an_unknown_workflow_is_a_dead_letter(world: World) -> None:
    await world.register()
    await world.start()
    (task,) = await world.claim("build")
    ghost = "p00-" + "f" * 32
    body = world.envelope(task).replace(task.task_id.partition("/")[0].encode(), ghost.encode())
    body = body.replace(b'"partitionkey":"p01"', b'"partitionkey":"p00"')
    await world.publish(ghost, body)
    await world.apply()
    assert await world.reasons() == [f"workflow {ghost} does not exist"]


async def test_a_result_of_an_unknown_stage_is_a_dead_letter(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    await world.publish(id_, world.envelope(task).replace(b"build", b"nowhere"))
    await world.apply()
    assert await world.reasons() == ["stage 'nowhere' is not in job"]
    assert (await world.state(id_)).step == 1


async def test_a_result_that_nothing_awaits_is_acknowledged(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    await world.complete(task)
    await world.apply()
    await world.publish(id_, world.envelope(task))
    await world.apply()
    assert (await world.inbox(), await world.letters()) == ([], [])
    assert (await world.state(id_)).step == 2


async def test_what_is_not_awaited_is_acknowledged_along_with_a_step(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    await world.complete(task)
    await world.publish(id_, world.envelope(task, "again"))
    await world.apply()
    assert await world.inbox() == []
    assert (await world.state(id_)).step == 2


async def test_a_broken_contract_is_noticed_again_as_dead_letter_and_repair_in_one_step(
    world: World,
) -> None:
    await world.register(agent("build"), contracts=[NUMBER])
    id_ = await world.start()
    await world.does("build", {"n": "one"})
    state = await world.state(id_)
    assert state.step == 2
    found = state.awaiting["build"]
    assert isinstance(found, TaskWait)
    assert (found.attempt, found.repair[0]["path"]) == (2, "n")
    (letter,) = await world.letters()
    assert letter.reason.startswith("contract violated at n: ")
    assert letter.workflow_id == id_
    assert b'"one"' in letter.body
    assert await world.tasks(id_) == {"build/1/2": "queued"}


async def test_a_broken_envelope_with_a_valid_token_ends_the_attempt_in_one_step(
    world: World,
) -> None:
    await world.register(agent("build", repairs=0, on={"invalid": "mend"}), agent("mend"))
    id_ = await world.start()
    (task,) = await world.claim("build")
    await world.publish(id_, world.envelope(task).replace(b'"success"', b'"succes"'))
    await world.apply()
    assert (await world.state(id_)).active_stages == ("mend",)
    (reason,) = await world.reasons()
    assert "data.status" in reason


async def unreachable(*_: Any) -> None:
    raise Unreachable("it", "away")


UNREADABLE = {
    "no JSON": b"Traceback (most recent call last):",
    "no envelope": b"{}",
    "too big": b"x" * (MAX_ENVELOPE_BYTES + 1),
    "of another task": b"",
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_a_task_that_is_completed_with_what_cannot_be_read_ends_as_a_broken_contract(
    world: World, what: str
) -> None:
    await world.register(agent("build", repairs=0, on={"invalid": "mend"}), agent("mend"))
    id_, other = await world.start(), await world.start()
    tasks = {task.task_id.partition("/")[0]: task for task in await world.claim("build")}
    body = UNREADABLE[what] or world.envelope(tasks[other])
    completion = Completion(tasks[id_].task_id, tasks[id_].token, body)
    await world.backend.tasks.complete([completion], None, world.clock.now_ms())
    await world.apply()
    assert (await world.state(id_)).active_stages == ("mend",)
    assert (await world.state(other)).active_stages == ("build",)
    (letter,) = await world.letters()
    assert (letter.workflow_id, letter.body) == (id_, body[:1_024] if what == "too big" else body)
    assert await world.inbox() == []


async def test_what_is_too_big_is_moved_away_also_by_one_who_finds_its_attempt_ended(
    world: World,
) -> None:
    await world.register(agent("build", repairs=0, on={"invalid": "mend"}), agent("mend"))
    id_ = await world.start()
    (task,) = await world.claim("build")
    big = Completion(task.task_id, task.token, UNREADABLE["too big"])
    await world.backend.tasks.complete([big], None, world.clock.now_ms())
    (item,) = await world.read()
    reject, world.backend.bus.reject = world.backend.bus.reject, unreachable  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        await world.processor.process([item])
    world.backend.bus.reject = reject  # type: ignore[method-assign]
    assert (await world.state(id_)).active_stages == ("mend",)
    await world.apply()
    assert (len(await world.letters()), await world.inbox()) == (1, [])


async def test_what_is_too_big_to_be_read_is_kept_when_its_stage_is_quarantined(
    world: World,
) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    big = Completion(task.task_id, task.token, UNREADABLE["too big"])
    await world.backend.tasks.complete([big], None, world.clock.now_ms())
    (item,) = await world.read()
    await world.processor.quarantine(item, "it crashed")
    assert isinstance((await world.state(id_)).awaiting["build"], HeldWait)
    assert (len(await world.letters()), await world.inbox()) == (1, [])


async def test_a_broken_envelope_with_another_token_changes_no_workflow(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    body = world.envelope(task).replace(b'"success"', b'"succes"')
    await world.publish(id_, body.replace(b'"leasetoken":1', b'"leasetoken":99'))
    await world.apply()
    (reason,) = await world.reasons()
    assert "data.status" in reason
    assert (await world.state(id_)).step == 1


async def test_a_broken_envelope_that_nothing_awaits_is_a_dead_letter(world: World) -> None:
    await world.register()
    id_ = await world.start()
    task = await world.done("build")
    await world.apply()
    await world.publish(id_, world.envelope(task).replace(b'"success"', b'"succes"'))
    await world.apply()
    assert len(await world.letters()) == 1
    assert await world.inbox() == []


async def timer(world: World, workflow_id: str, timer_id: str) -> None:
    due = DueTimer(workflow_id, timer_id, world.clock.now_ms())
    await world.processor.process([read_timer(due)])


async def test_a_due_timer_is_applied_and_cleared(world: World) -> None:
    await world.register(wait("nap", for_s=5), agent("check"))
    id_ = await world.start()
    await world.clock.advance(5)
    await world.processor.process(map(read_timer, (await world.received()).timers))
    assert (await world.state(id_)).active_stages == ("check",)
    assert await world.timers() == []


async def test_a_stale_timer_is_cleared_without_a_step(world: World) -> None:
    await world.register()
    id_ = await world.start()
    state: Any = world.backend.store
    state._state.partition_of(id_).timers.put((id_, "timer/old/1"), world.clock.now_ms())
    await timer(world, id_, "timer/old/1")
    assert await world.timers() == []
    assert (await world.state(id_)).step == 1


async def test_a_task_that_nothing_awaits_is_closed_when_its_lease_is_lost(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    live = (await world.lives.get([id_]))[id_]
    (record,) = await world.records(id_)
    await world.command(id_, "cancel")
    state: Any = world.backend.store
    lost = state._state.new_task(id_, _again(live, task.task_id), 0)
    state._state.workflows[id_].tasks[task.task_id] = state._state.tasks[task.task_id] = lost
    world.lives.clear()
    (work,), _ = read_expired([record], world.clock.now_ms() + 10**9)
    await world.processor.process([work])
    assert await world.records(id_) == []


def _again(live: Any, task_id: str) -> Any:
    return new_task(live.compiled, live.state, live.outputs, task_id, live.flight.tasks[task_id])


async def test_an_expired_lease_ends_the_attempt(world: World) -> None:
    await world.register(agent("build", timeout_s=10, retry={"attempts": 2, "delay_s": 0}))
    id_ = await world.start()
    await world.claim("build")
    await world.clock.advance(10)
    work, requeue = read_expired((await world.received()).expired, world.clock.now_ms())
    assert requeue == []
    await world.processor.process(work)
    assert await world.tasks(id_) == {"build/1/2": "queued"}


async def test_timers_and_leases_of_a_workflow_that_is_gone_are_left_and_counted(
    world: World,
) -> None:
    await world.register()
    id_ = await world.start()
    await make_unreadable(world, id_)
    world.forget()
    await timer(world, id_, "deadline")
    await timer(world, "p00-" + "f" * 32, "deadline")
    assert world.processor.left == 2


async def test_a_result_of_an_unreadable_workflow_is_a_dead_letter(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.done("build")
    await make_unreadable(world, id_)
    world.forget()
    await world.apply()
    (reason,) = await world.reasons()
    assert "newer version" in reason


async def test_what_must_be_refused_is_refused_along_with_a_step(world: World) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")]))
    id_ = await world.start()
    task = await world.done("a")
    await world.publish(
        id_, world.envelope(task).replace(b"/a/1/1", b"/a/9/1").replace(b'"success"', b'"x"')
    )
    await world.apply()
    (reason,) = await world.reasons()
    assert "data.status" in reason
    assert ((await world.state(id_)).step, await world.inbox()) == (2, [])


# --- what a cache does not know -------------------------------------------------------------------


async def test_a_result_that_only_another_process_knows_to_be_awaited_is_not_dropped(
    world: World,
) -> None:
    await world.register(wait("gate", signal="s"), agent("check"), agent("ship"))
    id_ = await world.start()
    await world.lives.get([id_])  # held as it was before the signal
    await world.command(id_, "signal", name="s")
    await world.does("check")
    assert (await world.state(id_)).active_stages == ("ship",)


async def test_a_broken_envelope_that_only_another_process_awaits_ends_its_attempt(
    world: World,
) -> None:
    await world.register(wait("gate", signal="s"), agent("check", repairs=0), agent("ship"))
    id_ = await world.start()
    await world.lives.get([id_])
    await world.command(id_, "signal", name="s")
    (task,) = await world.claim("check")
    await world.publish(id_, world.envelope(task).replace(b'"success"', b'"succes"'))
    await world.apply()
    assert (await world.state(id_)).stages["check"].outcome == "invalid"


async def test_a_refusal_waits_for_the_verdict_of_the_step_it_rests_on(world: World) -> None:
    await world.register(
        parallel("fan", [agent("build")], [wait("gate", signal="s"), agent("check", repairs=0)])
    )
    id_ = await world.start()
    await world.lives.get([id_])
    await world.command(id_, "signal", name="s")
    (task,) = await world.claim("check")
    await world.publish(id_, world.envelope(task).replace(b'"success"', b'"succes"'))
    await world.does("build")
    assert (await world.state(id_)).stages["check"].outcome == "invalid"


async def test_a_crash_of_the_kernel_on_a_stale_state_holds_what_is_awaited_now(
    world: World,
) -> None:
    await world.register(wait("gate", signal="s"), agent("check"))
    id_ = await world.start()
    await world.lives.get([id_])
    await world.command(id_, "signal", name="s")
    await world.done("check")
    with crashing("check"):
        await world.apply()
    assert isinstance((await world.state(id_)).awaiting["check"], HeldWait)


# --- what cannot be decided -----------------------------------------------------------------------


def crashing(on: str) -> Any:
    """Make the kernel fail on results of one stage."""
    real = folding.Stepper.apply

    def apply(self: Any, message: Any, cause: str, now_ms: int) -> Any:
        if getattr(getattr(message, "task", None), "stage", None) == on:
            raise ZeroDivisionError(on)
        return real(self, message, cause, now_ms)

    return patch.object(folding.Stepper, "apply", apply)


async def test_what_cannot_be_decided_takes_its_stage_out_of_service_in_one_step(
    world: World,
) -> None:
    await world.register()
    id_ = await world.start()
    await world.done("build", "precious")
    with crashing("build"):
        await world.apply()
    state = await world.state(id_)
    held = state.awaiting["build"]
    assert isinstance(held, HeldWait)
    assert held.reason == "could not be decided: ZeroDivisionError: build"
    (letter,) = await world.letters()
    assert letter.reason == held.reason
    assert b"precious" in letter.body
    assert (await world.inbox(), await world.tasks(id_)) == ([], {})


async def test_one_that_cannot_be_decided_does_not_stop_others_of_its_workflow(
    world: World,
) -> None:
    await world.register(parallel("fan", [agent("a")], [agent("b")], [agent("c")]))
    id_ = await world.start()
    for task in await world.claim("a", "b", "c"):
        await world.complete(task)
    with crashing("b"):
        await world.apply()
    state = await world.state(id_)
    assert state.active_stages == ("b", "fan")
    assert isinstance(state.awaiting["b"], HeldWait)
    assert len(await world.letters()) == 1


async def test_one_workflow_that_cannot_be_decided_does_not_stop_others(world: World) -> None:
    await world.register()
    bad, good = await world.start(), await world.start()
    for task in await world.claim("build"):
        await world.complete(task)
    real = folding.Stepper.apply

    def apply(self: Any, *args: Any) -> Any:
        if self.workflow_id == bad and not type(args[0]).__name__.startswith("Hold"):
            raise ZeroDivisionError
        return real(self, *args)

    with patch.object(folding.Stepper, "apply", apply):
        await world.apply()
    assert (await world.state(good)).active_stages == ("check",)
    assert isinstance((await world.state(bad)).awaiting["build"], HeldWait)


async def test_a_backend_that_fails_blames_no_message(world: World) -> None:
    await world.register()
    await world.start()
    await world.done("build")

    async def gone() -> None:
        raise Unreachable("store")

    other = world.with_ports(store=Slow(world.backend.store, gone))
    with pytest.raises(Unreachable):
        await other.apply()
    assert (len(await world.inbox()), await world.letters()) == (1, [])


async def test_a_quarantine_that_meets_a_stale_token_holds_nothing(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (old,) = await world.claim("build")
    await world.lose_lease(old)
    await world.claim("build")
    await world.publish(id_, world.envelope(old))
    (item,) = await world.read()
    await world.processor.quarantine(item, "it crashed")
    assert isinstance((await world.state(id_)).awaiting["build"], TaskWait)
    assert len(await world.letters()) == 1


async def test_a_quarantine_of_what_is_not_awaited_keeps_the_message_only(world: World) -> None:
    await world.register()
    id_ = await world.start()
    task = await world.done("build")
    await world.apply()
    await world.publish(id_, world.envelope(task))
    (item,) = await world.read()
    await world.processor.quarantine(item, "it crashed")
    assert await world.reasons() == ["it crashed"]
    assert (await world.state(id_)).active_stages == ("check",)


async def test_a_quarantine_of_an_unknown_workflow_keeps_the_message(world: World) -> None:
    item = Work("p00-" + "f" * 32, None, "result 1")
    await world.processor.quarantine(item, "it crashed")
    assert world.processor.left == 1


async def test_a_quarantine_that_loses_a_race_is_tried_again_later(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.done("build")

    async def faster() -> None:
        await world.command(id_, "signal", name="s")

    other = world.with_ports(store=Slow(world.backend.store, faster))
    (item,) = await other.read()
    await other.lives.get([id_])
    with pytest.raises(Conflict, match="moved meanwhile"):
        await other.processor.quarantine(item, "it crashed")


async def test_a_timer_that_crashes_takes_its_stage_out_of_service(world: World) -> None:
    await world.register(wait("nap", for_s=5))
    id_ = await world.start()
    await world.clock.advance(5)
    (due,) = (await world.received()).timers
    await world.processor.quarantine(read_timer(due), "it crashed")
    assert isinstance((await world.state(id_)).awaiting["nap"], HeldWait)
    assert (await world.timers(), world.processor.left) == ([], 0)


# --- big outputs ----------------------------------------------------------------------------------

BIG = dumps({"n": 5})
BLOB = BlobRef(hashlib.sha256(BIG).hexdigest(), len(BIG))
LOOKS_INSIDE = agent("check", **{"with": {"n": {"from": "stages.build.output.n"}}})


async def test_a_big_output_is_fetched_when_the_next_stage_looks_into_it(world: World) -> None:
    await world.register(agent("build"), LOOKS_INSIDE)
    id_ = await world.start()
    await world.backend.blobs.put(id_, BIG)
    await world.does("build", blob=BLOB)
    (task,) = await world.claim("check")
    assert b'"input":{"n":5}' in task.body


@pytest.mark.parametrize(
    ("blob", "reason"),
    [(BLOB, "lost its blob"), (BlobRef(BLOB.hash, FETCH_LIMIT_BYTES + 1), "look into at most")],
)
async def test_an_output_that_cannot_be_looked_into_holds_the_stage_that_gave_it(
    world: World, blob: BlobRef, reason: str
) -> None:
    await world.register(agent("build"), LOOKS_INSIDE)
    id_ = await world.start()
    await world.does("build", blob=blob)
    held = (await world.state(id_)).awaiting["build"]
    assert isinstance(held, HeldWait)
    assert reason in held.reason
    assert len(await world.letters()) == 1


async def test_an_approval_shows_what_lies_in_a_big_output(world: World) -> None:
    await world.register(
        agent("build"), approval("sign", show={"n": {"from": "stages.build.output.n"}})
    )
    id_ = await world.start()
    await world.backend.blobs.put(id_, BIG)
    await world.does("build", blob=BLOB)
    assert (await world.state(id_)).active_stages == ("sign",)
    assert (await world.stored(id_)).outputs["sign/1/shown"] == b'{"n":5}'

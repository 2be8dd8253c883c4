"""What one atomic step must do."""

from __future__ import annotations

import asyncio

from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.dead_letters import DeadLetter
from stagewright.ports.task import TaskLease
from stagewright.ports.workflow_store import FEW_OUTPUTS, Stored
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    entry,
    inbox,
    lease_of,
    observed,
    published,
    received,
    start,
    step_id,
    task,
    then,
    verdict,
    workflow,
)

ONE, TWO = workflow(1), workflow(2)


async def everything_at_once(backend: Backend, clock: VirtualClock) -> Commit:
    """Commit a start that uses every part of a commit; messages wait in the inbox."""
    await published(backend, clock, ONE, b"first", b"second")
    first = start(
        ONE,
        outputs={"input": b'{"a":1}'},
        new_tasks=(task(ONE), task(ONE, "lint")),
        timers={"deadline": clock.now_ms() + 60_000},
    )
    await committed(backend, clock, first)
    return first


async def whole_step(first: Commit, backend: Backend, clock: VirtualClock) -> Commit:
    """Return a next step that changes everything a commit can change."""
    return then(
        first,
        outputs={"build/1": b"{}"},
        new_tasks=(task(ONE, "deploy"),),
        closed_tasks=(f"{ONE}/lint/1/1",),
        timers={"retry": clock.now_ms() + 5_000},
        cleared_timers=("deadline",),
        index=entry(status="waiting", waiting=("timer",), updated_at_ms=2_000),
        suspended=True,
        consumed=tuple(message.position for message in await inbox(backend, clock)),
        dead_letters=(DeadLetter("p01-letter", ONE, "unreadable", b"?", clock.now_ms()),),
    )


def made_to_meet(wanted: Verdict, step: Commit) -> Commit:
    """Return a commit that meets this verdict; its workflow has a queued task `build`."""
    if wanted is Verdict.CONFLICT:
        return but(step, expected_step_id="stale")
    if wanted is Verdict.FENCED:
        return but(step, fences=(TaskLease(f"{step.workflow_id}/build/1/1", 7),))
    return step


class CommitContract:
    """Steps are atomic, ordered by step id, and either apply as a whole or change nothing."""

    async def test_a_new_workflow_is_loaded_as_it_was_committed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE, snapshot=b"{}", outputs={"input": b"1"}))
        assert list(await backend.store.load([ONE])) == [
            Stored(ONE, step_id(ONE, 1), b"{}", {"input": b"1"})
        ]

    async def test_workflows_are_loaded_in_the_order_asked_for(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        here, there = workflow(1, 3), workflow(2, 0)
        await committed(backend, clock, start(here), start(there))
        loaded = await backend.store.load([there, workflow(9), here, there])
        assert [found and found.workflow_id for found in loaded] == [there, None, here, there]

    async def test_of_many_outputs_those_are_loaded_that_the_snapshot_refers_to(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        many = {f"ring/{visit}": b"%d" % visit for visit in range(FEW_OUTPUTS + 1)}
        first = start(ONE, snapshot=b"ring/64 a,b gone", outputs={**many, "a,b": b"x"})
        await committed(backend, clock, first, start(TWO, snapshot=b"i", outputs={"i": b"1"}))
        loaded = await backend.store.load(
            [TWO, ONE, workflow(9)], lambda snapshot: snapshot.decode().split()
        )
        assert list(loaded) == [
            Stored(TWO, step_id(TWO, 1), b"i", {"i": b"1"}),
            Stored(ONE, step_id(ONE, 1), first.snapshot, {"ring/64": b"64", "a,b": b"x"}),
            None,
        ]

    async def test_all_outputs_are_loaded_for_who_asks_for_no_choice(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        many = {f"ring/{visit}": b"%d" % visit for visit in range(3 * FEW_OUTPUTS)}
        await committed(backend, clock, start(ONE, outputs=many))
        (loaded,) = await backend.store.load([ONE])
        assert isinstance(loaded, Stored)
        assert loaded.outputs == many

    async def test_loading_nothing_gives_nothing(self, backend: Backend) -> None:
        assert list(await backend.store.load([])) == []

    async def test_a_step_replaces_the_snapshot_and_adds_outputs(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, outputs={"input": b"1"})
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, snapshot=b"new", outputs={"build/1": b"2"}))
        expected = Stored(ONE, step_id(ONE, 2), b"new", {"input": b"1", "build/1": b"2"})
        assert list(await backend.store.load([ONE])) == [expected]

    async def test_an_output_once_written_is_never_changed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, outputs={"build/1": b"first"})
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, outputs={"build/1": b"second"}))
        (loaded,) = await backend.store.load([ONE])
        assert isinstance(loaded, Stored)
        assert loaded.outputs == {"build/1": b"first"}

    async def test_bodies_are_kept_byte_for_byte(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        body = bytes(range(256)) + "ünïcode \u2028".encode()
        await committed(backend, clock, start(ONE, snapshot=body, outputs={"i": body}, log=(body,)))
        (loaded,) = await backend.store.load([ONE])
        assert isinstance(loaded, Stored)
        assert [loaded.snapshot, loaded.outputs["i"], *await backend.store.log(ONE)] == [body] * 3

    async def test_starting_a_workflow_that_exists_is_a_conflict(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE))
        again = but(start(ONE), step_id=step_id(ONE, 99))
        assert await verdict(backend, clock, again) is Verdict.CONFLICT

    async def test_a_step_of_a_workflow_that_does_not_exist_is_a_conflict(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        assert await verdict(backend, clock, then(start(ONE))) is Verdict.CONFLICT
        assert list(await backend.store.load([ONE])) == [None]

    async def test_a_step_is_compared_by_id_and_not_by_number(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE)
        await committed(backend, clock, first)
        elsewhere = but(then(first), expected_step_id="another history")
        assert await verdict(backend, clock, elsewhere) is Verdict.CONFLICT

    async def test_a_conflict_changes_nothing_at_all(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = await everything_at_once(backend, clock)
        before = await observed(backend, clock, ONE)
        step = await whole_step(first, backend, clock)
        stale = but(step, expected_step_id="stale")
        assert await verdict(backend, clock, stale) is Verdict.CONFLICT
        assert await observed(backend, clock, ONE) == before

    async def test_a_fenced_commit_changes_nothing_at_all(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = await everything_at_once(backend, clock)
        before = await observed(backend, clock, ONE)
        step = await whole_step(first, backend, clock)
        fenced = but(step, fences=(TaskLease(f"{ONE}/build/1/1", 99),))
        assert await verdict(backend, clock, fenced) is Verdict.FENCED
        assert await observed(backend, clock, ONE) == before

    async def test_repeating_a_commit_that_took_effect_is_a_conflict_and_changes_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = await everything_at_once(backend, clock)
        step = await whole_step(first, backend, clock)
        await committed(backend, clock, step)
        before = await observed(backend, clock, ONE)
        assert await verdict(backend, clock, step) is Verdict.CONFLICT
        assert await verdict(backend, clock, first) is Verdict.CONFLICT
        assert await observed(backend, clock, ONE) == before

    async def test_two_racing_commits_on_one_step_have_exactly_one_winner(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE)
        await committed(backend, clock, first)
        rivals = [but(then(first), step_id=f"rival {n}", log=(b"%d" % n,)) for n in range(8)]
        verdicts = await asyncio.gather(*(verdict(backend, clock, rival) for rival in rivals))
        assert verdicts.count(Verdict.COMMITTED) == 1
        assert verdicts.count(Verdict.CONFLICT) == 7
        winner = verdicts.index(Verdict.COMMITTED)
        assert list(await backend.store.log(ONE)) == [*first.log, b"%d" % winner]

    async def test_each_commit_of_a_batch_stands_alone(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        ids = [workflow(number, number % 4) for number in range(100)]
        starts = [start(id_, new_tasks=(task(id_),)) for id_ in ids]
        await committed(backend, clock, *starts)
        outcomes = (Verdict.CONFLICT, Verdict.FENCED, Verdict.COMMITTED)
        wanted = [outcomes[number % 3] for number in range(100)]
        steps = [
            made_to_meet(wish, then(first)) for wish, first in zip(wanted, starts, strict=True)
        ]
        assert list(await backend.store.commit(steps, clock.now_ms())) == wanted
        lengths = [len(await backend.store.log(id_)) for id_ in ids]
        assert lengths == [2 if verdict is Verdict.COMMITTED else 1 for verdict in wanted]

    async def test_many_callers_commit_at_the_same_time(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        starts = [start(workflow(n, n % 4)) for n in range(40)]
        await asyncio.gather(*(committed(backend, clock, first) for first in starts))
        assert sum((await backend.store.counts()).values()) == 40

    async def test_a_fence_with_the_current_token_lets_a_commit_pass(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        claimed = await claimed_one(backend, clock)
        await committed(backend, clock, then(first, fences=(lease_of(claimed),)))

    async def test_a_fence_of_a_task_that_is_gone_stops_a_commit(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        claimed = await claimed_one(backend, clock)
        second = then(first, closed_tasks=(claimed.task_id,))
        await committed(backend, clock, second)
        late = then(second, fences=(lease_of(claimed),))
        assert await verdict(backend, clock, late) is Verdict.FENCED

    async def test_a_fence_with_the_token_of_an_earlier_lease_stops_a_commit(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, new_tasks=(task(ONE),))
        await committed(backend, clock, first)
        lost = lease_of(await claimed_one(backend, clock))
        await backend.tasks.release([lost], lost=True, now_ms=clock.now_ms())
        current = lease_of(await claimed_one(backend, clock))
        assert await verdict(backend, clock, then(first, fences=(lost,))) is Verdict.FENCED
        await committed(backend, clock, then(first, fences=(current,)))

    async def test_a_wrong_step_id_answers_conflict_whatever_the_fences_say(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        stale = then(start(ONE), fences=(TaskLease(f"{ONE}/build/1/1", 1),))
        assert await verdict(backend, clock, stale) is Verdict.CONFLICT

    async def test_consumed_messages_go_with_the_step_and_others_stay(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"first", b"second", b"third")
        one, _, three = await inbox(backend, clock)
        await committed(backend, clock, start(ONE, consumed=(one.position, three.position)))
        assert [message.body for message in await inbox(backend, clock)] == [b"second"]

    async def test_timers_are_set_moved_and_cleared(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        now_ms = clock.now_ms()
        first = start(ONE, timers={"a": now_ms + 1_000, "b": now_ms + 2_000, "c": now_ms + 3_000})
        await committed(backend, clock, first)
        moved = then(first, timers={"a": now_ms + 9_000}, cleared_timers=("b", "unknown"))
        await committed(backend, clock, moved)
        timers = (await received(backend, clock, later_s=60)).timers
        found = {timer.timer_id: timer.due_at_ms for timer in timers}
        assert found == {"a": now_ms + 9_000, "c": now_ms + 3_000}

    async def test_dead_letters_are_written_with_the_step(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        letter = DeadLetter("p01-0001", ONE, "no such stage", b"\x00body", clock.now_ms())
        await committed(backend, clock, start(ONE, dead_letters=(letter,)))
        assert list(await backend.dead_letters.list()) == [letter]

    async def test_a_partitions_counter_rises_with_what_was_committed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        async def commits() -> list[int]:
            marks = (await received(backend, clock)).marks
            return [marks[partition].commits for partition in range(backend.partitions)]

        assert await commits() == [0, 0, 0, 0]
        first = start(ONE)
        await committed(backend, clock, first, start(workflow(2, 3)))
        assert await commits() == [0, 1, 0, 1]
        await verdict(backend, clock, first)
        assert await commits() == [0, 1, 0, 1]

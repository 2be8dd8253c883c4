"""What forgetting a workflow must do."""

from __future__ import annotations

from stagewright.ports.backend import Backend
from stagewright.ports.commit import Verdict
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Completion
from stagewright.ports.workflow_store import Query, Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    lease_of,
    observed,
    received,
    start,
    task,
    verdict,
    workflow,
)

ONE, TWO = workflow(1), workflow(2)
KEPT_S = 3_600


def tombstone(clock: VirtualClock, workflow_id: str = ONE) -> Tombstone:
    """Return a tombstone that stands for an hour."""
    return Tombstone(workflow_id, "completed", "ab" * 32, clock.now_ms() + KEPT_S * 1000)


async def lived(backend: Backend, clock: VirtualClock, workflow_id: str = ONE) -> str:
    """Leave traces of a workflow everywhere; return the id of its last step."""
    first = start(
        workflow_id,
        outputs={"input": b"1"},
        new_tasks=(task(workflow_id), task(workflow_id, "lint", lane="lint@1.0")),
        timers={"deadline": clock.now_ms() + 1_000},
    )
    await committed(backend, clock, first)
    await backend.bus.publish(Topic.NOTES, [Message(workflow_id, b"note")], clock.now_ms())
    return first.step_id


class ForgetContract:
    """A forgotten workflow leaves a tombstone and nothing else."""

    async def test_a_forgotten_workflow_leaves_only_its_tombstone(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        assert await backend.store.forget(ONE, last, tombstone(clock)) is True
        seen = await observed(backend, clock, ONE)
        assert seen["loaded"] == [tombstone(clock)]
        assert seen["steps"] == seen["notes"] == seen["tasks"] == [[]]
        assert seen["rows"] == seen["depths"] == seen["timers"] == seen["expired"] == []
        assert not any(seen["counts"].values())

    async def test_forgetting_one_workflow_leaves_others_as_they_were(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock, ONE)
        await lived(backend, clock, TWO)
        kept = ("loaded", "steps", "notes", "letters", "marks", "feed", "messages")
        before = await observed(backend, clock, TWO)
        await backend.store.forget(ONE, last, tombstone(clock))
        after = await observed(backend, clock, TWO)
        assert {part: after[part] for part in kept} == {part: before[part] for part in kept}
        assert [len(after[part]) for part in ("rows", "timers")] == [1, 1]
        assert [(found.state, found.position) for found in after["tasks"][0]] == [("queued", 0)] * 2

    async def test_a_workflow_that_moved_on_is_not_forgotten(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await lived(backend, clock)
        before = await observed(backend, clock, ONE)
        assert await backend.store.forget(ONE, "an older step", tombstone(clock)) is False
        assert await observed(backend, clock, ONE) == before

    async def test_what_is_unknown_or_forgotten_cannot_be_forgotten(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        assert await backend.store.forget(TWO, last, tombstone(clock, TWO)) is False
        assert await backend.store.forget(ONE, last, tombstone(clock)) is True
        assert await backend.store.forget(ONE, last, tombstone(clock)) is False
        assert list(await backend.store.load([TWO])) == [None]

    async def test_a_lease_ends_when_its_workflow_is_forgotten(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        lease = lease_of(await claimed_one(backend, clock))
        await backend.store.forget(ONE, last, tombstone(clock))
        late = Completion(lease.task_id, lease.token, b"late")
        assert list((await backend.tasks.complete([late], None, clock.now_ms())).accepted) == [
            False
        ]
        assert list(await backend.tasks.extend([lease], 30, clock.now_ms())) == [None]
        assert list(await backend.tasks.release([lease], lost=True, now_ms=clock.now_ms())) == [
            False
        ]
        assert (await received(backend, clock, later_s=3_600)).expired == []

    async def test_blobs_go_with_their_workflow(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock, ONE)
        hash_ = await backend.blobs.put(ONE, b"same body")
        await backend.blobs.put(TWO, b"same body")
        await backend.store.forget(ONE, last, tombstone(clock))
        assert await backend.blobs.get(ONE, hash_) is None
        assert await backend.blobs.get(TWO, hash_) == b"same body"

    async def test_a_tombstone_stands_in_the_way_of_a_new_start_until_it_expires(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        await backend.store.forget(ONE, last, tombstone(clock))
        assert await verdict(backend, clock, start(ONE)) is Verdict.CONFLICT
        clock.set_ms(clock.now_ms() + KEPT_S * 1000 + 1)
        assert await verdict(backend, clock, start(ONE)) is Verdict.COMMITTED
        assert list(await backend.store.log(ONE)) == list(start(ONE).log)

    async def test_a_tombstone_that_has_expired_reads_as_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        await backend.store.forget(ONE, last, tombstone(clock))
        clock.set_ms(clock.now_ms() + KEPT_S * 1000 - 1)
        assert list(await backend.store.load([ONE])) != [None]
        clock.set_ms(clock.now_ms() + 2)
        assert list(await backend.store.load([ONE])) == [None]

    async def test_a_late_note_does_not_bring_a_forgotten_workflow_back(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        last = await lived(backend, clock)
        await backend.store.forget(ONE, last, tombstone(clock))
        await backend.bus.publish(Topic.NOTES, [Message(ONE, b"late")], clock.now_ms())
        assert list(await backend.store.log(ONE, "notes")) == []

    async def test_a_tombstone_outlives_the_backend_if_the_store_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        last = await lived(harness.backend, clock)
        await harness.backend.store.forget(ONE, last, tombstone(clock))
        reopened = await harness.restart()
        found = list(await reopened.store.load([ONE])) == [tombstone(clock)]
        assert found is harness.durable
        assert list((await reopened.store.query(Query())).rows) == []

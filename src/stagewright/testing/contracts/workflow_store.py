"""What every workflow store must do: logs and durability here, the rest beside."""

from __future__ import annotations

from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import (
    claim,
    committed,
    observed,
    queued,
    start,
    task,
    then,
    workflow,
)
from stagewright.testing.contracts.workflow_commit import (
    CommitContract,
    everything_at_once,
    whole_step,
)
from stagewright.testing.contracts.workflow_forget import ForgetContract
from stagewright.testing.contracts.workflow_query import QueryContract
from stagewright.testing.contracts.workflow_tasks import CommittedTasksContract

ONE, TWO = workflow(1), workflow(2)


class LogContract:
    """Step records are numbered 1..n without gap; notes are bounded."""

    async def test_records_are_read_by_number(self, backend: Backend, clock: VirtualClock) -> None:
        first = start(ONE, log=(b"1", b"2"))
        second = then(first, log=(b"3", b"4", b"5"))
        await committed(backend, clock, first)
        await committed(backend, clock, second)
        log = backend.store.log
        assert list(await log(ONE)) == [b"1", b"2", b"3", b"4", b"5"]
        assert list(await log(ONE, after=1, limit=3)) == [b"2", b"3", b"4"]
        assert list(await log(ONE, after=4)) == [b"5"]
        assert list(await log(ONE, after=5)) == []

    async def test_an_unknown_workflow_has_an_empty_log(self, backend: Backend) -> None:
        assert list(await backend.store.log(ONE)) == []
        assert list(await backend.store.log(ONE, "notes")) == []

    async def test_notes_are_kept_in_order_beside_the_steps(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE), start(TWO))
        notes = [Message(ONE, b"a"), Message(TWO, b"other"), Message(ONE, b"b")]
        await backend.bus.publish(Topic.NOTES, notes, clock.now_ms())
        assert list(await backend.store.log(ONE, "notes")) == [b"a", b"b"]
        assert list(await backend.store.log(TWO, "notes")) == [b"other"]
        assert list(await backend.store.log(ONE)) == list(start(ONE).log)

    async def test_the_newest_thousand_notes_are_kept(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE))
        notes = [Message(ONE, b"%d" % number) for number in range(1_005)]
        await backend.bus.publish(Topic.NOTES, notes, clock.now_ms())
        kept = await backend.store.log(ONE, "notes", limit=2_000)
        assert list(kept) == [b"%d" % number for number in range(5, 1_005)]


class StoreDurabilityContract:
    """What survives is what the durability class says."""

    async def test_health_names_the_declared_durability(self, harness: Harness) -> None:
        health = await harness.backend.store.health()
        assert (health.ok, health.durability) == (True, harness.durability)

    async def test_what_was_committed_outlives_the_backend_if_it_says_so(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        first = await everything_at_once(harness.backend, clock)
        step = await whole_step(first, harness.backend, clock)
        await committed(harness.backend, clock, step)
        await queued(harness.backend, clock, task(TWO))
        await harness.backend.tasks.claim(claim(), clock.now_ms())
        before = await observed(harness.backend, clock, ONE, TWO)
        after = await observed(await harness.restart(), clock, ONE, TWO)
        assert (after == before) is harness.durable
        assert (after["loaded"] == [None, None]) is not harness.durable


class WorkflowStoreContract(
    CommitContract,
    CommittedTasksContract,
    LogContract,
    QueryContract,
    ForgetContract,
    StoreDurabilityContract,
):
    """All of it."""

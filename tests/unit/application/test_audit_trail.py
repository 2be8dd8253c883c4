"""What is written down of a change: before it is tried, and once its end is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from stagewright.adapters.memory.audit import MemoryAudit
from stagewright.adapters.memory.state import Namespace
from stagewright.application.actor import Actor
from stagewright.application.audit_trail import REFUSALS_A_MINUTE, AuditTrail
from stagewright.domain.errors import (
    Forbidden,
    OutcomeUnknown,
    Refused,
    StagewrightError,
    Unreachable,
)
from stagewright.ports.audit import FIELD_LIMIT, AuditEntry, AuditQuery
from stagewright.testing.clock import VirtualClock
from stagewright.testing.identifiers import SeededIdentifiers

ANN = Actor("ann", "k1", "api")


class Audit(MemoryAudit):
    """Counts calls, and fails when told to."""

    def __init__(self) -> None:
        super().__init__(Namespace(1, 60.0), 3_600.0)
        self.sizes: list[int] = []
        self.failure: Exception | None = None

    async def put(self, entries: Sequence[AuditEntry], now_ms: int) -> None:
        self.sizes.append(len(entries))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        await super().put(entries, now_ms)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
def trail(audit: Audit, clock: VirtualClock) -> AuditTrail:
    return AuditTrail(audit, clock, SeededIdentifiers(1, clock))


async def entries(audit: Audit, clock: VirtualClock) -> list[AuditEntry]:
    return (await audit.list(AuditQuery(limit=1_000), clock.now_ms())).entries


async def test_a_change_is_unknown_until_it_is_done(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    async with trail.change(ANN, "workflow.cancel", "w1", {"status": "running"}) as note:
        (begun,) = await entries(audit, clock)
        assert (begun.outcome, begun.after) == ("unknown", {})
        note.after = {"status": "cancelled"}
    (done,) = await entries(audit, clock)
    assert (done.actor, done.key_id, done.door) == ("ann", "k1", "api")
    assert (done.outcome, done.before, done.after) == (
        "done",
        {"status": "running"},
        {"status": "cancelled"},
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("it has ended"), "refused"),
        (Forbidden("ann", "operate"), "refused"),
        (Unreachable("Redis"), "failed"),
        (OutcomeUnknown("Redis"), "unknown"),
        (RuntimeError("a secret"), "failed"),
    ],
)
async def test_an_error_says_what_became_of_the_change(
    trail: AuditTrail, audit: Audit, clock: VirtualClock, error: Exception, outcome: str
) -> None:
    with pytest.raises(type(error)):
        async with trail.change(ANN, "workflow.cancel", "w1"):
            raise error
    (entry,) = await entries(audit, clock)
    assert entry.outcome == outcome
    assert "secret" not in entry.detail


async def test_a_change_that_is_cut_off_stays_unknown(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    begun = asyncio.Event()

    async def changing() -> None:
        async with trail.change(ANN, "workflow.cancel", "w1"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(changing())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [entry.outcome for entry in await entries(audit, clock)] == ["unknown"]


async def test_nothing_is_tried_that_cannot_be_written_down(
    trail: AuditTrail, audit: Audit
) -> None:
    audit.failure = Unreachable("Redis")
    tried = False
    with pytest.raises(Unreachable):
        async with trail.change(ANN, "workflow.cancel", "w1"):
            tried = True
    assert not tried


async def test_a_change_that_was_made_is_answered_though_its_end_cannot_be_written(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    async with trail.change(ANN, "workflow.cancel", "w1"):
        audit.failure = Unreachable("Redis")
    assert [entry.outcome for entry in await entries(audit, clock)] == ["unknown"]


async def test_entries_of_one_moment_are_written_in_one_call(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    async def one(number: int) -> None:
        async with trail.change(ANN, "workflow.cancel", f"w{number}"):
            pass

    await asyncio.gather(*(one(number) for number in range(600)))
    assert len(await entries(audit, clock)) == 600
    assert len(audit.sizes) <= 10
    assert max(audit.sizes) <= 256


async def test_refusals_beyond_so_many_a_minute_are_only_counted(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    refusal = Forbidden("ann", "operate")
    for _ in range(REFUSALS_A_MINUTE + 7):
        await trail.refused(ANN, "POST", "/api/v1/x", refusal)
    assert len(await entries(audit, clock)) == REFUSALS_A_MINUTE
    await clock.advance(60)
    await trail.refused(ANN, "POST", "/api/v1/x", refusal)
    newest = (await entries(audit, clock))[0]
    assert newest.detail.endswith("(7 more were not written down)")


async def test_a_refusal_that_cannot_be_written_down_keeps_its_own_error(
    trail: AuditTrail, audit: Audit
) -> None:
    audit.failure = StagewrightError("broken")
    await trail.refused(ANN, "workflow.start", "x", Refused("no"))
    assert audit.sizes == [1]


async def test_what_is_told_is_cut_and_has_no_control_characters(
    trail: AuditTrail, audit: Audit, clock: VirtualClock
) -> None:
    async with trail.change(Actor("a\x1b[31m\nb"), "x", "t" * 1_000):
        pass
    (entry,) = await entries(audit, clock)
    assert entry.actor == "a [31m b"
    assert len(entry.target) == FIELD_LIMIT

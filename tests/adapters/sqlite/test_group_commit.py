"""One writer, many requests: who is answered when, and with what."""

from __future__ import annotations

import asyncio

import pytest

from stagewright.adapters.sqlite import SqliteBackend
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.adapters.sqlite.writer import Writer
from stagewright.domain.errors import OutcomeUnknown, StoreFailed, StoreFull
from stagewright.ports.message_bus import Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import claim, lease_of, start, task, workflow
from stagewright.testing.disk import Disk


def writer_of(backend: SqliteBackend) -> Writer:
    return backend.store._core.writer  # type: ignore[attr-defined]


def put(key: str) -> object:
    return lambda transaction: transaction.change("set_value", (key, b"1", None))


async def test_requests_that_come_during_a_commit_share_the_next_one(
    disk: Disk, backend: SqliteBackend
) -> None:
    disk.hold()
    first = asyncio.ensure_future(backend.kv.set("first", b"1", None, 0))
    await disk.reached()
    before, syncs = writer_of(backend).groups, len(disk.synced)
    others = [asyncio.ensure_future(backend.kv.set(str(n), b"1", None, 0)) for n in range(50)]
    await asyncio.sleep(0)
    disk.go_on()
    await asyncio.gather(first, *others)
    assert writer_of(backend).groups == before + 2
    assert len(disk.synced) == syncs + 2


async def test_an_answer_comes_only_after_the_log_is_on_the_disk(
    disk: Disk, backend: SqliteBackend, clock: VirtualClock
) -> None:
    disk.hold()
    disk.journal.clear()
    commit = asyncio.ensure_future(backend.store.commit([start(workflow(1, 0))], clock.now_ms()))
    await disk.reached()
    done, _ = await asyncio.wait({commit}, timeout=0.05)
    assert not done
    assert disk.synced == []
    disk.go_on()
    await commit
    assert disk.synced == ["wal"]


async def test_what_is_not_on_the_disk_yet_is_not_seen(
    disk: Disk, backend: SqliteBackend, clock: VirtualClock
) -> None:
    disk.hold()
    commit = asyncio.ensure_future(backend.store.commit([start(workflow(1, 0))], clock.now_ms()))
    await disk.reached()
    assert await backend.store.load([workflow(1, 0)]) == [None]
    disk.go_on()
    await commit
    (found,) = await backend.store.load([workflow(1, 0)])
    assert found is not None


async def test_a_claim_does_not_wait_for_the_disk_but_its_result_does(
    disk: Disk, backend: SqliteBackend, clock: VirtualClock
) -> None:
    id_ = workflow(1, 0)
    await backend.store.commit([start(id_, new_tasks=(task(id_),))], clock.now_ms())
    disk.journal.clear()
    (claimed,) = await backend.tasks.claim(claim(), clock.now_ms())
    assert disk.synced == []
    await backend.tasks.release([lease_of(claimed)], lost=False, now_ms=clock.now_ms())
    assert disk.synced == ["wal"]


async def test_a_failing_request_spares_the_others_of_its_group(
    disk: Disk, backend: SqliteBackend
) -> None:
    effects: list[str] = []

    def fail(transaction: Transaction) -> None:
        transaction.change("set_value", ("half", b"1", None))
        transaction.after_commit(effects.append, "of a failed request")
        raise ZeroDivisionError

    run = writer_of(backend).run
    disk.hold()
    first = asyncio.ensure_future(run(put("first")))
    await disk.reached()
    group = [asyncio.ensure_future(run(work)) for work in (put("a"), fail, put("b"))]
    await asyncio.sleep(0)
    disk.go_on()
    await first
    answers = await asyncio.gather(*group, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, ZeroDivisionError, int]
    assert set(await backend.kv.scan("", 0)) == {"first", "a", "b"}
    assert effects == []


async def test_a_group_that_fails_at_its_end_is_taken_back_whole(
    backend: SqliteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(backend)
    monkeypatch.setattr(writer._transaction, "reserve_numbers", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await backend.kv.set("during", b"1", None, 0)
    monkeypatch.undo()
    await backend.kv.set("after", b"1", None, 0)
    assert set(await backend.kv.scan("", 0)) == {"after"}


async def test_drawing_numbers_writes_them_seldom(backend: SqliteBackend) -> None:
    run = writer_of(backend).run
    reserved = [
        await run(
            lambda transaction: (
                transaction.next_number(),
                transaction.row("select_meta", ("reserved",)),
            )
        )
        for _ in range(4)
    ]
    assert len({bound for _, bound in reserved[1:]}) == 1


async def test_a_statement_that_fails_is_told_in_the_words_of_the_domain(
    backend: SqliteBackend,
) -> None:
    with pytest.raises(StoreFailed, match=r"state\.db: .*NOT NULL"):
        await writer_of(backend).run(
            lambda transaction: transaction.change("set_value", ("key", None, None))
        )


async def test_a_full_disk_refuses_everyone_and_says_why(
    disk: Disk, backend: SqliteBackend
) -> None:
    disk.full = True
    with pytest.raises(StoreFull, match="the disk is full"):
        await backend.kv.set("key", b"1", None, 0)
    health = await backend.store.health()
    assert health.ok
    assert "the disk is full" in health.refusing


async def test_after_a_full_disk_has_space_again_work_goes_on(
    disk: Disk, backend: SqliteBackend
) -> None:
    await backend.kv.set("before", b"1", None, 0)
    disk.full = True
    with pytest.raises(StoreFailed):
        await backend.kv.set("during", b"1", None, 0)
    disk.full = False
    await backend.kv.set("after", b"1", None, 0)
    assert set(await backend.kv.scan("", 0)) == {"before", "after"}
    assert (await backend.store.health()).ok


async def test_a_sync_that_fails_leaves_the_outcome_unknown(
    disk: Disk, backend: SqliteBackend
) -> None:
    await backend.kv.set("before", b"1", None, 0)
    disk.broken = True
    with pytest.raises(OutcomeUnknown, match=r"state\.db"):
        await backend.kv.set("during", b"1", None, 0)


async def test_numbers_in_use_are_reserved_in_the_file_also_after_a_failure(
    disk: Disk, backend: SqliteBackend
) -> None:
    drawn: list[int] = []
    run = writer_of(backend).run
    disk.full = True
    with pytest.raises(StoreFailed):
        await run(lambda transaction: drawn.append(transaction.next_number()))
    disk.full = False
    await run(lambda transaction: drawn.append(transaction.next_number()))
    reserved = await run(lambda transaction: transaction.row("select_meta", ("reserved",)))
    assert drawn[0] < drawn[1] <= reserved[0]


async def test_a_waiter_is_woken_before_the_one_who_wrote_is_answered(
    backend: SqliteBackend, clock: VirtualClock
) -> None:
    id_ = workflow(1, 0)
    async with backend.bus.subscribe(Topic.WAKE) as wakes:
        await backend.store.commit([start(id_, new_tasks=(task(id_),))], clock.now_ms())
        async with asyncio.timeout(0):
            hint = await anext(wakes)
    assert hint.body == b"build@1.0"


async def test_a_closed_file_takes_nothing_more(backend: SqliteBackend) -> None:
    await writer_of(backend).close()
    with pytest.raises(StoreFailed, match="closed"):
        await backend.kv.set("key", b"1", None, 0)

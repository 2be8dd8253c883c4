"""What stays in the file of what the feed and the logs share."""

from __future__ import annotations

from stagewright.adapters.sqlite import SqliteBackend, open_backend
from stagewright.ports.backend import BackendOptions
from stagewright.ports.workflow_store import Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import committed, start, workflow

KEPT, GONE = workflow(1, 0), workflow(2, 0)
OPTIONS = BackendOptions(feed_retention_s=60)


async def records(backend: SqliteBackend) -> list[tuple[str, int | None]]:
    rows = await backend.store._core.reader.scan(  # type: ignore[attr-defined]
        lambda session: session.rows_of("SELECT workflow_id, number FROM records ORDER BY place")
    )
    return list(rows)


async def forget(backend: SqliteBackend, clock: VirtualClock, id_: str) -> None:
    grave = Tombstone(id_, "completed", "hash", clock.now_ms() + 1_000)
    assert await backend.store.forget(id_, start(id_).step_id, grave)


async def test_a_forgotten_workflow_stays_on_the_feed_for_its_time(
    url: str, clock: VirtualClock
) -> None:
    async with open_backend(url, OPTIONS, clock) as backend:
        await committed(backend, clock, start(KEPT), start(GONE))
        await forget(backend, clock, GONE)
        entries, _ = await backend.bus.replay(None, 10)
        assert [entry.workflow_id for entry in entries] == [KEPT, GONE]
        assert await backend.store.log(GONE) == []
        assert await records(backend) == [(KEPT, 1), (GONE, None)]


async def test_a_trimmed_record_leaves_the_file_unless_a_log_has_it(
    url: str, clock: VirtualClock
) -> None:
    async with open_backend(url, OPTIONS, clock) as backend:
        await committed(backend, clock, start(KEPT), start(GONE))
        await forget(backend, clock, GONE)
        await clock.advance(61)
        assert (await backend.bus.replay(None, 10))[0] == []
        assert await records(backend) == [(KEPT, 1)]
        assert len(await backend.store.log(KEPT)) == 1


async def test_forgetting_what_was_trimmed_empties_the_file(url: str, clock: VirtualClock) -> None:
    async with open_backend(url, OPTIONS, clock) as backend:
        await committed(backend, clock, start(GONE))
        await clock.advance(61)
        await backend.bus.replay(None, 10)
        await forget(backend, clock, GONE)
        assert await records(backend) == []


async def test_writers_trim_what_nobody_reads(url: str, clock: VirtualClock) -> None:
    async with open_backend(url, OPTIONS, clock) as backend:
        await committed(backend, clock, start(GONE))
        await forget(backend, clock, GONE)
        await clock.advance(120)
        await committed(backend, clock, start(KEPT))
        assert await records(backend) == [(KEPT, 1)]

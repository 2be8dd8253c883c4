"""Whoever opens the file again finds everything as it was."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from stagewright.adapters.sqlite import SqliteBackend, migrations, open_backend
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Completion
from stagewright.ports.workflow_store import Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claim,
    claimed_one,
    committed,
    entry,
    lease_of,
    observed,
    published,
    received,
    start,
    task,
    then,
    workflow,
)

ONE, TWO, GONE = (workflow(number, 0) for number in (1, 2, 3))


async def test_a_file_of_the_first_schema_keeps_what_waits_and_takes_what_is_new(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    url = f"sqlite:///{path}"
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        async with open_backend(url, BackendOptions(), clock):
            pass
    file = apsw.Connection(str(path))
    file.execute("INSERT INTO inbox (position, partition, workflow_id, body) VALUES (1, 0, ?, ?)",
                 (ONE, b"old"))  # fmt: skip
    file.close()
    async with open_backend(url, BackendOptions(), clock) as backend:
        await committed(backend, clock, start(ONE, new_tasks=(task(ONE),)))
        lease = lease_of(await claimed_one(backend, clock))
        await backend.tasks.complete([Completion(lease.task_id, lease.token, b"new")], None, 0)
        waiting = (await received(backend, clock)).messages
    assert [(one.body, one.lease) for one in waiting] == [(b"old", None), (b"new", lease)]


async def fill(backend: Backend, clock: VirtualClock) -> None:
    """Leave something of every kind."""
    now_ms = clock.now_ms()
    first = start(ONE, new_tasks=(task(ONE), task(ONE, "test")), timers={"deadline": now_ms + 9})
    await committed(backend, clock, first, start(TWO), start(GONE))
    labelled = entry(labels={"team": "red"}, waiting=("signal", "timer"))
    await committed(backend, clock, then(first, outputs={"a/1": b"1"}, index=labelled))
    leased = await backend.tasks.claim(claim(slots=2), now_ms)
    await backend.tasks.complete(
        [Completion(leased[0].task_id, leased[0].token, b"done")], None, now_ms
    )
    await backend.bus.publish(Topic.NOTES, [Message(ONE, b"note")], now_ms)
    await published(backend, clock, TWO, b"bad", b"good")
    messages = (await received(backend, clock)).messages
    await backend.bus.reject(messages[1], "bad", now_ms)
    await backend.kv.set("key", b"value", 60, now_ms)
    await backend.registry.put_if_absent("contract", "n", "1", "h", b"body", now_ms)
    await backend.blobs.put(ONE, b"blob")
    await backend.store.forget(
        GONE, start(GONE).step_id, Tombstone(GONE, "completed", "h", now_ms + 60_000)
    )


async def seen(backend: Backend, clock: VirtualClock) -> object:
    return (
        await observed(backend, clock, ONE, TWO, GONE),
        await backend.kv.scan("", clock.now_ms()),
        await backend.registry.list("contract"),
        await backend.registry.get("contract", "h"),
        await backend.blobs.get(
            ONE, "fa2c8cc4f28176bbeed4b736df569a34c79cd3723e9ec42f9674b4d46ac6b8b8"
        ),
        await backend.tasks.inspect([ONE]),
    )


async def test_everything_is_found_again(url: str, clock: VirtualClock) -> None:
    async with open_backend(url, BackendOptions(), clock) as backend:
        await fill(backend, clock)
        before = await seen(backend, clock)
    async with open_backend(url, BackendOptions(), clock) as backend:
        assert await seen(backend, clock) == before


async def test_a_closed_file_is_one_file(path: Path, url: str, clock: VirtualClock) -> None:
    async with open_backend(url, BackendOptions(), clock) as backend:
        await fill(backend, clock)
    assert {file.name for file in path.parent.iterdir()} == {"state.db", "state.db.owner"}


async def test_tokens_and_positions_go_on_rising(url: str, clock: VirtualClock) -> None:
    async def draw(backend: SqliteBackend, stage: str, id_: str) -> tuple[int, int]:
        await committed(backend, clock, start(id_, new_tasks=(task(id_, stage),)))
        await published(backend, clock, id_, b"message")
        position = (await received(backend, clock)).messages[-1].position
        return (await claimed_one(backend, clock)).token, int(position)

    async with open_backend(url, BackendOptions(), clock) as backend:
        before = await draw(backend, "a", ONE)
    async with open_backend(url, BackendOptions(), clock) as backend:
        after = await draw(backend, "b", TWO)
    assert max(before) < min(after)


async def test_a_cursor_of_before_reads_on_after(url: str, clock: VirtualClock) -> None:
    async with open_backend(url, BackendOptions(), clock) as backend:
        await committed(backend, clock, start(ONE))
        _, cursor = await backend.bus.replay(None, 10)
    async with open_backend(url, BackendOptions(), clock) as backend:
        await committed(backend, clock, start(TWO))
        entries, _ = await backend.bus.replay(cursor, 10)
    assert [entry.workflow_id for entry in entries] == [TWO]

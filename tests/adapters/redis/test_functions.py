"""The library: one file per function, versioned by content, refusing before it writes."""

from __future__ import annotations

import re

import pytest

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.keys import Keys
from stagewright.adapters.redis.library import library
from stagewright.domain.errors import OutcomeUnknown, StoreFailed, StoreFull
from stagewright.ports.workflow_store import Tombstone
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    inbox,
    lease_of,
    observed,
    published,
    queued,
    start,
    task,
    workflow,
)
from tests.adapters.redis.conftest import PARTITIONS, Redises

ONE, TWO = workflow(1), workflow(2)


async def test_every_function_is_registered_under_its_version(redis: Redises) -> None:
    (listed,) = await redis.plain.execute_command("FUNCTION LIST", "LIBRARYNAME", "stagewright_*")
    names = {function[1].decode() for function in listed[5]}
    assert names == set(library().functions.values())
    version = library().name.removeprefix("stagewright_")
    assert re.fullmatch("[0-9a-f]{8}", version)
    assert all(name.endswith(f"_{version}") for name in names)


async def test_only_functions_that_write_nothing_are_called_as_reads(redis: Redises) -> None:
    (listed,) = await redis.plain.execute_command("FUNCTION LIST", "LIBRARYNAME", "stagewright_*")
    flags = {function[1].decode(): function[5] for function in listed[5]}
    reading = {name for name, found in flags.items() if found == [b"no-writes"]}
    assert reading == {library().functions[name] for name in library().read_only}


async def test_only_what_keeps_alive_or_frees_memory_is_done_when_there_is_none(
    redis: Redises,
) -> None:
    (listed,) = await redis.plain.execute_command("FUNCTION LIST", "LIBRARYNAME", "stagewright_*")
    allowed = {f[1].decode().rpartition("_")[0] for f in listed[5] if b"allow-oom" in f[5]}
    freeing = {"discard", "delete_value", "forget"}
    alive = {"compare_and_set", "set_value", "scan_values", "extend"}
    told = {"put_audit"}  # who frees memory is written down first
    assert allowed == freeing | alive | told


async def test_opening_again_loads_nothing_new(redis: Redises, clock: VirtualClock) -> None:
    async with open_backend(redis.url, redis.options, clock):
        listed = await redis.plain.execute_command("FUNCTION LIST")
    assert len(listed) == 1


async def test_a_commit_that_is_misspelt_changes_nothing(
    redis: Redises, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committed(redis.backend, clock, start(ONE))
    before = await observed(redis.backend, clock, ONE, TWO)
    plain = Functions.command
    monkeypatch.setattr(
        Functions, "command", lambda self, name, keys, args: (*plain(self, name, keys, args), "x")
    )
    with pytest.raises(StoreFailed, match="announced shapes"):
        await committed(redis.backend, clock, start(TWO, new_tasks=(task(TWO),)))
    monkeypatch.undo()
    assert await observed(redis.backend, clock, ONE, TWO) == before


async def test_a_position_that_is_none_stops_the_whole_call_before_it_writes(
    redis: Redises, clock: VirtualClock
) -> None:
    await published(redis.backend, clock, ONE, b"kept")
    (kept,) = await inbox(redis.backend, clock)
    before = await observed(redis.backend, clock, ONE, TWO)
    with pytest.raises(StoreFailed, match="Invalid stream ID"):
        await committed(
            redis.backend,
            clock,
            start(ONE, consumed=(kept.position,), new_tasks=(task(ONE),)),
            start(TWO, consumed=("nonsense",)),
        )
    assert await observed(redis.backend, clock, ONE, TWO) == before


async def test_a_server_without_memory_refuses_as_a_whole_and_still_reads(
    redis: Redises, clock: VirtualClock
) -> None:
    await committed(redis.backend, clock, start(ONE))
    before = await observed(redis.backend, clock, ONE)
    await redis.plain.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreFull, match="maxmemory"):
            await committed(redis.backend, clock, start(TWO, new_tasks=(task(TWO),)))
        assert await observed(redis.backend, clock, ONE) == before
    finally:
        await redis.plain.config_set("maxmemory", 0)


async def test_without_memory_leases_and_signs_of_life_are_renewed_and_space_is_freed(
    redis: Redises, clock: VirtualClock
) -> None:
    await queued(redis.backend, clock, task(ONE))
    claimed = await claimed_one(redis.backend, clock)
    await committed(redis.backend, clock, last := start(TWO))
    await redis.plain.config_set("maxmemory", 1)
    try:
        now_ms = clock.now_ms()
        (renewed,) = await redis.backend.tasks.extend([lease_of(claimed)], 40.0, now_ms)
        await redis.backend.kv.set("presence:one", b"here", 10.0, now_ms)
        seen = await redis.backend.kv.scan("presence:", now_ms)
        stone = Tombstone(TWO, "completed", "hash", now_ms + 1_000)
        gone = await redis.backend.store.forget(TWO, last.step_id, stone)
    finally:
        await redis.plain.config_set("maxmemory", 0)
    assert renewed == now_ms + 40_000
    assert (list(seen), gone) == (["presence:one"], True)


async def test_a_server_without_memory_is_opened_and_says_what_is_wrong(
    redis: Redises, clock: VirtualClock
) -> None:
    await redis.plain.config_set("maxmemory", 1)
    try:
        async with open_backend(redis.url, redis.options, clock) as backend:
            health = await backend.store.health()
    finally:
        await redis.plain.config_set("maxmemory", 0)
    assert health.ok
    assert "no room left" in health.refusing
    assert [concern.check for concern in health.concerns if concern.serious] == ["space", "clock"]


async def test_calls_of_which_some_were_refused_have_an_unknown_outcome(redis: Redises) -> None:
    functions = redis.backend.kv._functions  # type: ignore[attr-defined]
    keys = Keys(redis.options.namespace, PARTITIONS).values
    kept = functions.command("set_value", keys, ("a", "1", 0, ""))
    refused = ("SET", "other", "1")
    await redis.plain.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutcomeUnknown, match=r"it refused 1 of 2 calls: .*maxmemory"):
            await functions.run([kept, refused])
        with pytest.raises(StoreFull):
            await functions.run([("GET", "other"), refused])
    finally:
        await redis.plain.config_set("maxmemory", 0)


async def test_a_commit_of_very_many_parts_is_applied(redis: Redises, clock: VirtualClock) -> None:
    many = tuple(task(ONE, f"s{number}") for number in range(5_000))
    records = tuple(b"%d" % number for number in range(9_000))
    await committed(redis.backend, clock, start(ONE, new_tasks=many, log=records))
    assert list(await redis.backend.store.log(ONE, limit=10_000)) == list(records)
    (tasks,) = await redis.backend.tasks.inspect([ONE])
    assert len(tasks) == len(many)

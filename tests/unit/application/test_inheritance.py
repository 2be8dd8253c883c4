"""Who opens a store that only one process can have takes over from the dead at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.application.catalog import Catalog
from stagewright.application.live import LiveWorkflows
from stagewright.application.ownership import Ownership, owners
from stagewright.application.reconciler import Reconciler
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.task import TaskLease
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.samples import (
    claim,
    claimed_one,
    committed,
    start,
    task,
    workflow,
)

ONE = workflow(1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def backend(clock: VirtualClock) -> AsyncIterator[Backend]:
    async with open_backend("memory://", BackendOptions(), clock) as opened:
        yield replace(opened, sole=True)


async def test_partitions_of_a_dead_owner_are_taken_without_waiting(
    backend: Backend, clock: VirtualClock
) -> None:
    await Ownership(backend.kv, clock, "dead", backend.partitions).renew()
    heir = Ownership(backend.kv, clock, "heir", backend.partitions, inherit=True)
    assert await heir.renew() == frozenset(range(backend.partitions))
    assert set((await owners(backend.kv, clock.now_ms())).values()) == {"heir"}


async def test_an_owner_that_turns_out_to_be_alive_loses_what_was_taken(
    backend: Backend, clock: VirtualClock
) -> None:
    other = Ownership(backend.kv, clock, "other", backend.partitions)
    await other.renew()
    await Ownership(backend.kv, clock, "heir", backend.partitions, inherit=True).renew()
    assert await other.renew() == frozenset()


async def test_tasks_of_dead_agents_go_back_to_their_lanes_at_once(
    backend: Backend, clock: VirtualClock
) -> None:
    await committed(backend, clock, start(ONE, new_tasks=(task(ONE),)))
    before = await claimed_one(backend, clock)
    lives = LiveWorkflows(backend.store, Catalog(backend.registry, clock))
    assert await Reconciler(backend, lives, clock).free_leases(1) == 1
    again = await claimed_one(backend, clock)
    assert (again.task_id, again.lost) == (before.task_id, 1)
    assert again.token > before.token


async def test_tasks_of_agents_over_http_stay_with_them(
    backend: Backend, clock: VirtualClock
) -> None:
    await committed(backend, clock, start(ONE, new_tasks=(task(ONE),)))
    wish = replace(claim(), holder="http:node-1")
    (before,) = await backend.tasks.claim(wish, clock.now_ms())
    lives = LiveWorkflows(backend.store, Catalog(backend.registry, clock))
    assert await Reconciler(backend, lives, clock).free_leases(1) == 0
    lease = TaskLease(before.task_id, before.token)
    (until,) = await backend.tasks.extend([lease], 30, clock.now_ms())
    assert until

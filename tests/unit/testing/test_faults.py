"""Ports that number calls and kill whoever makes a chosen one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import Crash, Faults, Moment


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    async with open_backend("memory://", BackendOptions(), VirtualClock()) as opened:
        yield opened


async def test_calls_are_numbered_over_all_processes(backend: Backend) -> None:
    faults = Faults()
    one, two = faults.ports(backend, "one"), faults.ports(backend, "two")
    await one.kv.set("a", b"1", None, 0)
    assert await two.kv.get("a", 0) == b"1"
    await one.store.load([])
    assert faults.calls == ["one kv.set", "two kv.get", "one store.load"]
    assert (one.partitions, faults.kills) == (backend.partitions, [])


@pytest.mark.parametrize(("moment", "took_effect"), [("before", None), ("after", b"1")])
async def test_a_kill_comes_before_or_after_the_call_takes_effect(
    backend: Backend, moment: Moment, took_effect: bytes | None
) -> None:
    faults = Faults([2], moment)
    ports = faults.ports(backend, "one")
    await ports.kv.get("a", 0)
    with pytest.raises(Crash):
        await ports.kv.set("a", b"1", None, 0)
    assert await backend.kv.get("a", 0) == took_effect
    assert faults.kills == ["one kv.set"]


async def test_the_dead_reach_nothing_any_more_and_others_live_on(backend: Backend) -> None:
    faults = Faults([1])
    dead, other = faults.ports(backend, "one"), faults.ports(backend, "two")
    with pytest.raises(Crash):
        await dead.kv.set("a", b"1", None, 0)
    with pytest.raises(Crash):
        await dead.store.load([])
    await other.kv.set("a", b"2", None, 0)
    await faults.ports(backend, "one").kv.delete("a")
    assert faults.calls == ["one kv.set", "two kv.set", "one kv.delete"]


async def test_a_subscription_is_passed_on_as_it_is(backend: Backend) -> None:
    faults = Faults([1])
    async with faults.ports(backend, "one").bus.subscribe(Topic.WAKE) as heard:
        await backend.bus.publish(Topic.WAKE, [Message("p00-1", b"inbox")], 0)
        assert (await anext(heard)).body == b"inbox"
    assert faults.calls == []


def test_no_handler_of_errors_outlives_a_crash() -> None:
    assert not issubclass(Crash, Exception)

"""Ports that number calls and kill whoever makes a chosen one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from stagewright.adapters.memory import open_backend
from stagewright.domain.errors import OutcomeUnknown, Unreachable
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.clock import VirtualClock, settle
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
    assert (one.partitions, faults.hits) == (backend.partitions, [])


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
    assert faults.hits == ["one kv.set"]


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


async def test_a_subscription_is_a_call_when_it_is_opened(backend: Backend) -> None:
    faults = Faults([2])
    ports = faults.ports(backend, "one")
    async with ports.bus.subscribe(Topic.WAKE) as heard:
        await backend.bus.publish(Topic.WAKE, [Message("p00-1", b"inbox")], 0)
        assert (await anext(heard)).body == b"inbox"
    with pytest.raises(Crash):
        async with ports.bus.subscribe(Topic.WAKE):
            pass
    assert faults.calls == ["one bus.subscribe"] * 2


@pytest.mark.parametrize(
    ("moment", "took_effect", "error"),
    [("before", None, Unreachable), ("after", b"1", OutcomeUnknown)],
)
async def test_a_failure_says_what_may_have_become_of_the_call_and_happens_once(
    backend: Backend, moment: Moment, took_effect: bytes | None, error: type[Unreachable]
) -> None:
    ports = Faults([1], moment, "fail").ports(backend, "one")
    with pytest.raises(Unreachable) as raised:
        await ports.kv.set("a", b"1", None, 0)
    assert type(raised.value) is error
    assert await ports.kv.get("a", 0) == took_effect


async def test_a_stalled_process_makes_no_call_while_others_go_on(backend: Backend) -> None:
    going_on, stalled = asyncio.Event(), []

    async def stall(name: str) -> None:
        stalled.append(name)
        await going_on.wait()

    faults = Faults([1], harm="stall", stalled=stall)
    one, other = faults.ports(backend, "one"), faults.ports(backend, "other")
    calls = [asyncio.create_task(one.kv.increment("a", 1, None, 0)) for _ in range(2)]
    await settle()
    assert (stalled, await other.kv.get("a", 0)) == (["one"], None)
    going_on.set()
    assert sorted(await asyncio.gather(*calls)) == [1, 2]


def test_no_handler_of_errors_outlives_a_crash() -> None:
    assert not issubclass(Crash, Exception)

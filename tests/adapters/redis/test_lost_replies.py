"""A call whose answer is lost was made once, and is not made again behind the caller's back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.connection import Address, Client
from stagewright.domain.errors import OutcomeUnknown
from stagewright.ports.backend import Backend, BackendOptions
from stagewright.ports.commit import Verdict
from stagewright.ports.message_bus import Message, Topic
from stagewright.ports.task_queue import Completion
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.bus_waiting import begun
from stagewright.testing.contracts.harness import at_once
from stagewright.testing.contracts.samples import (
    claimed_one,
    committed,
    inbox,
    queued,
    start,
    task,
    then,
    verdict,
    workflow,
)
from stagewright.testing.proxy import Harm, Proxy
from stagewright.testing.servers import RedisServer

ONE = workflow(1)


@dataclass
class Line:
    """A backend behind a proxy."""

    proxy: Proxy
    backend: Backend


@pytest.fixture
async def line(
    server: RedisServer, options: BackendOptions, clock: VirtualClock
) -> AsyncIterator[Line]:
    async with (
        Proxy(server.port).running() as proxy,
        open_backend(proxy.url, options, clock) as backend,
    ):
        yield Line(proxy, backend)


async def test_a_commit_took_effect_once_and_repeating_it_conflicts(
    line: Line, clock: VirtualClock
) -> None:
    await committed(line.backend, clock, first := start(ONE))
    line.proxy.lose_reply(b"FCALL")
    with pytest.raises(OutcomeUnknown, match="unknown outcome"):
        await committed(line.backend, clock, then(first))
    assert line.proxy.harmed == {Harm.LOSE_REPLY: 1}
    assert len(await line.backend.store.log(ONE)) == 2
    assert await verdict(line.backend, clock, then(first)) is Verdict.CONFLICT
    assert len(await line.backend.store.log(ONE)) == 2


async def test_a_message_was_published_once(line: Line, clock: VirtualClock) -> None:
    line.proxy.lose_reply(b"XADD")
    with pytest.raises(OutcomeUnknown):
        await line.backend.bus.publish(Topic.INBOX, [Message(ONE, b"once")], clock.now_ms())
    assert [message.body for message in await inbox(line.backend, clock)] == [b"once"]


async def test_a_completion_may_be_repeated_and_publishes_nothing_more(
    line: Line, clock: VirtualClock
) -> None:
    await queued(line.backend, clock, task(ONE))
    claimed = await claimed_one(line.backend, clock)
    done = [Completion(claimed.task_id, claimed.token, b"result")]
    line.proxy.lose_reply(b"FCALL")
    with pytest.raises(OutcomeUnknown):
        await line.backend.tasks.complete(done, None, clock.now_ms())
    answer = await line.backend.tasks.complete(done, None, clock.now_ms())
    assert list(answer.accepted) == [True]
    assert [message.body for message in await inbox(line.backend, clock)] == [b"result"]


async def test_a_claim_whose_answer_was_lost_leaves_its_task_to_the_lease(
    line: Line, clock: VirtualClock
) -> None:
    await queued(line.backend, clock, task(ONE))
    line.proxy.lose_reply(b"FCALL")
    with pytest.raises(OutcomeUnknown):
        await claimed_one(line.backend, clock)
    (record,) = (await line.backend.tasks.inspect([ONE]))[0]
    assert (record.state, record.token) == ("leased", 1)


async def test_a_counter_was_raised_once(line: Line, clock: VirtualClock) -> None:
    kv, now_ms = line.backend.kv, clock.now_ms()
    line.proxy.lose_reply(b"increment")
    with pytest.raises(OutcomeUnknown):
        await kv.increment("count", 1, None, now_ms)
    assert await kv.get("count", now_ms) == b"1"


async def test_a_connection_that_was_reset_while_idle_is_not_used_again(
    line: Line, clock: VirtualClock
) -> None:
    await committed(line.backend, clock, first := start(ONE))
    line.proxy.reset_idle()
    await begun(clock)
    await committed(line.backend, clock, then(first))


async def test_the_late_answer_to_a_call_that_was_given_up_is_nobody_elses(line: Line) -> None:
    client = Client(Address.of(line.proxy.url))
    await client.call("PING")
    line.proxy.hold_replies()
    sent = asyncio.ensure_future(line.proxy.passed(b"first"))
    first = asyncio.ensure_future(client.call("ECHO", "first"))
    await at_once(sent)
    first.cancel()
    await asyncio.wait({first})
    sent = asyncio.ensure_future(line.proxy.passed(b"second"))
    second = asyncio.ensure_future(client.call("ECHO", "second"))
    await at_once(sent)
    line.proxy.release_replies()
    assert await at_once(second) == b"second"
    await client.close()


async def test_a_read_that_waits_is_made_again(line: Line, clock: VirtualClock) -> None:
    line.proxy.lose_reply(b"BLOCK")
    receiving = line.backend.bus.receive({1: ""}, 10, 3_600, clock.now_ms(), 1_000)
    reading = asyncio.ensure_future(receiving)
    await begun(clock)
    await line.backend.bus.publish(Topic.INBOX, [Message(ONE, b"news")], clock.now_ms())
    found = await at_once(reading)
    assert line.proxy.harmed == {Harm.LOSE_REPLY: 1}
    assert [message.body for message in found.messages] == [b"news"]


async def test_when_the_line_is_dead_one_call_waits_in_vain_and_not_one_for_each_connection(
    server: RedisServer, options: BackendOptions, clock: VirtualClock
) -> None:
    async with (
        Proxy(server.port).running() as proxy,
        open_backend(f"{proxy.url}?socket_timeout=0.3", options, clock) as backend,
    ):
        await asyncio.gather(*(backend.store.load([ONE]) for _ in range(4)))
        proxy.harm_all(Harm.BLACK_HOLE)
        with pytest.raises(OutcomeUnknown):
            await backend.store.load([ONE])
        assert await backend.store.load([ONE]) == [None]

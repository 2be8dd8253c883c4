from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from stagewright.testing.failover import Forwarder, RedisPair
from stagewright.testing.servers import RedisServer


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisPair]:
    with RedisPair() as started:
        yield started


def test_what_is_written_after_the_cut_goes_with_the_master(pair: RedisPair) -> None:
    pair.master.ask("SET", "before", 1)
    pair.settle()
    pair.cut()
    pair.master.ask("SET", "after", 1)
    old, new = pair.master, pair.replica
    pair.promote()
    assert (pair.master, old.pid) == (new, None)
    assert [pair.master.ask("GET", key) for key in ("before", "after")] == [b"1", None]


def test_who_was_the_master_starts_again_as_the_replica(pair: RedisPair) -> None:
    pair.recruit()
    pair.master.ask("SET", "key", 1)
    pair.settle()
    assert pair.replica.ask("GET", "key") == b"1"


async def ask(port: int, line: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(line + b"\r\n")
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_an_address_leads_elsewhere_and_no_line_is_left_to_where_it_led_before() -> None:
    with RedisServer() as one, RedisServer() as two:
        one.ask("SET", "key", 1)
        two.ask("SET", "key", 2)
        async with Forwarder(one.port).running() as forwarder:
            assert await ask(forwarder.port, b"INCR key") == b":2\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
            writer.write(b"PING\r\n")
            assert await reader.readline() == b"+PONG\r\n"
            forwarder.switch(two.port)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert await ask(forwarder.port, b"INCR key") == b":3\r\n"

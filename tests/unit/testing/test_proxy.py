from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stagewright.testing.proxy import Harm, Proxy, Share

SOON_S = 5.0


class Echo:
    """A server that says again what it hears, and notes it."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1_024):
                self.heard += piece
                writer.write(piece)
        except ConnectionError:
            pass
        finally:
            self.closed.set()
            writer.close()


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, words: bytes) -> bytes:
        """Say something; what comes back, empty when the line was closed."""
        self.writer.write(words)
        try:
            return await self.reader.read(1_024)
        except ConnectionError:
            return b""

    async def waits(self) -> bool:
        """Whether nothing comes, not even the end."""
        reading = asyncio.ensure_future(self.reader.read(1))
        done, _ = await asyncio.wait({reading}, timeout=0.05)
        reading.cancel()
        return not done


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@asynccontextmanager
async def line(echo: Echo, proxy: Proxy | None = None) -> AsyncIterator[tuple[Proxy, Caller]]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    proxy = proxy or Proxy(server.sockets[0].getsockname()[1])
    async with asyncio.timeout(SOON_S), proxy.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, Caller(reader, writer)
        writer.close()
    server.close()


async def test_without_a_plan_everything_passes(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        assert await caller.ask(b"one") == b"one"
        assert (proxy.pieces, proxy.harmed) == (1, Counter())


async def test_a_lost_reply_belongs_to_a_request_that_arrived(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        proxy.lose_reply(b"two")
        assert await caller.ask(b"one") == b"one"
        assert await caller.ask(b"two") == b""
        assert (echo.heard, proxy.harmed) == (b"onetwo", {Harm.LOSE_REPLY: 1})


async def test_a_delayed_request_passes(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        assert await caller.ask(b"none") == b"none"
        proxy.delay_s = 0.01
        proxy.harm_all(Harm.DELAY)
        assert await caller.ask(b"one") == b"one"
        assert proxy.harmed == {Harm.DELAY: 1}


async def test_a_black_hole_tells_neither_end(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        assert await caller.ask(b"one") == b"one"
        proxy.harm_all(Harm.BLACK_HOLE)
        caller.writer.write(b"two")
        assert await caller.waits()
        assert (echo.heard, echo.closed.is_set()) == (b"one", False)


async def test_of_a_half_open_line_only_the_server_knows(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        assert await caller.ask(b"one") == b"one"
        proxy.harm_all(Harm.HALF_OPEN)
        caller.writer.write(b"two")
        await echo.closed.wait()
        assert await caller.waits()
        assert echo.heard == b"one"


async def test_a_cut_lets_a_part_of_the_request_pass_at_most(echo: Echo) -> None:
    async with line(echo) as (proxy, caller):
        assert await caller.ask(b"one") == b"one"
        proxy.harm_all(Harm.CUT)
        assert await caller.ask(b"two!") == b""
        await echo.closed.wait()
        assert echo.heard in {b"one", b"onetw"}


async def test_a_server_that_is_away_is_away_behind_the_line_too(echo: Echo) -> None:
    async with line(echo) as (proxy, _):
        proxy._server_port = 1
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


def test_a_share_harms_so_many_and_the_same_ones_again() -> None:
    plans = [Share(0.05, random.Random(3)) for _ in range(2)]
    drawn = [[plan(b"") for _ in range(10_000)] for plan in plans]
    assert drawn[0] == drawn[1]
    kinds = Counter(harm for harm in drawn[0] if harm is not None)
    assert set(kinds) == set(Harm)
    assert 400 < kinds.total() < 600

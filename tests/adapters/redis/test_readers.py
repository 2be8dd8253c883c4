"""A read that waits has a connection of its own, and patience for longer than a call takes."""

from __future__ import annotations

import asyncio

import pytest

from stagewright.adapters.redis import readers
from stagewright.adapters.redis.connection import Address
from stagewright.adapters.redis.readers import Reader
from stagewright.adapters.redis.server import Single
from stagewright.testing.clock import VirtualClock
from stagewright.testing.servers import RedisServer

CALL_LIMIT_S = 1.0
BLOCK_MS = 1_200


async def test_a_read_may_block_for_longer_than_a_call_may_take(
    server: RedisServer, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "BLOCK_MS", BLOCK_MS)
    monkeypatch.setattr(readers, "BLOCKING", ("BLOCK", BLOCK_MS))
    reader = Reader(Single(Address.of(f"{server.url}?socket_timeout={CALL_LIMIT_S}")))
    try:
        async with asyncio.timeout(20):
            await reader.prepare({"nothing": "0-0"}, 1)
            found = await reader.wait_or_sleep({"nothing": "0-0"}, 1, clock, 3_600)
    finally:
        await reader.close()
    assert found == {}

"""A process with nothing to do asks Redis for next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from redis.asyncio import Redis

from stagewright.testing.servers import RedisServer
from tests.faults.test_kills_redis import PIPELINE, register
from tests.processes import Member

SETTLED_S = 14.0
"""After so long looks have become rare."""
MEASURED_S = 20.0
COMMANDS = ("fcall", "fcall_ro", "xread", "publish", "subscribe", "ping")
"""What processes send; everything else is done inside of functions."""


@contextmanager
def alone(folder: Path, server: RedisServer, *arguments: str) -> Iterator[None]:
    """Run one process over a server."""
    (folder / "journal").mkdir(exist_ok=True)
    env = {
        "STAGEWRIGHT_URL": server.url,
        "JOURNAL_FOLDER": str(folder / "journal"),
        "PYTHONPATH": str(PIPELINE.parents[2]),
    }
    member = Member("alone", arguments, env, folder).start().wait_ready()
    try:
        yield
    finally:
        member.stop()


async def calls(url: str) -> tuple[int, int]:
    """Return how many commands a server was sent so far, and in how many round trips."""
    async with Redis.from_url(url, protocol=2) as plain:
        stats = await plain.info("commandstats")
        sent = [int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in COMMANDS]
        reads = await plain.info("stats")
    return sum(sent), int(reads["total_reads_processed"])


async def per_second(server: RedisServer) -> tuple[float, float]:
    """Measure commands and round trips a second."""
    await anyio.sleep(SETTLED_S)
    before = await calls(server.url)
    await anyio.sleep(MEASURED_S)
    after = await calls(server.url)
    asking = 4  # round trips of our own: greeting, two questions, the end
    commands, trips = after[0] - before[0], after[1] - before[1] - asking
    return commands / MEASURED_S, trips / MEASURED_S


@pytest.fixture
def servers() -> Iterator[list[RedisServer]]:
    with RedisServer() as one, RedisServer() as two:
        yield [one, two]


async def test_idle_processes_make_at_most_one_round_trip_a_second(
    tmp_path: Path, servers: list[RedisServer]
) -> None:
    kinds = (("serve",), ("agent", "run", str(PIPELINE)))
    found: dict[str, tuple[float, float]] = {}

    async def measure(server: RedisServer, arguments: tuple[str, ...]) -> None:
        folder = tmp_path / arguments[0]
        folder.mkdir()
        with alone(folder, server, *arguments):
            found[arguments[0]] = await per_second(server)

    for server in servers:
        await register(server.url)
    async with anyio.create_task_group() as group:
        for server, arguments in zip(servers, kinds, strict=True):
            group.start_soon(measure, server, arguments)
    sys.stdout.write(f"commands and round trips a second: {found}\n")
    assert all(trips <= 1.0 for _, trips in found.values())
    assert all(commands <= 2.0 for commands, _ in found.values())  # of four partitions, in one go

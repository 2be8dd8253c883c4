"""Ten minutes of work without a pause: nothing that should stay small grows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from redis.asyncio import Redis

from stagewright import Stagewright
from stagewright.domain.errors import StagewrightError
from stagewright.testing.servers import RedisServer
from tests.faults.pipeline import STAGES
from tests.faults.test_kills_redis import Deployment, register

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
STAGES_PER_S = 1_000
STARTERS = 8
RETENTION_S = "20"
"""Finished workflows go after so long, so that what stays is what is alive."""
PERIODS = 12
ALLOWED = {"rss_kb": 0.1, "files": 0.05, "clients": 0.05, "keys": 0.5, "redis_bytes": 0.5}
"""What stands in Redis follows the pace of the last seconds, which a busy machine changes."""


@dataclass(frozen=True)
class Sample:
    """What everything takes at one moment."""

    rss_kb: int
    """Of all processes of ours together."""
    files: int
    """Descriptors that they have open."""
    keys: int
    redis_bytes: int
    clients: int
    inboxes: int
    """Entries in all inboxes."""
    completed: int


def held_by(pids: Sequence[int]) -> tuple[int, int]:
    """Return the memory (kB) and the open files of some processes together."""
    rss_kb = files = 0
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        rss_kb += int(status.partition("VmRSS:")[2].split()[0])
        files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return rss_kb, files


async def sample(deployment: Deployment, plain: Redis, client: Stagewright) -> Sample:
    """Look at processes and server."""
    rss_kb, files = held_by([member.pid for member in deployment.members])
    memory, clients = await plain.info("memory"), await plain.info("clients")
    inboxes = 0
    async for key in plain.scan_iter("*:inbox"):
        inboxes += await plain.xlen(key)
    counts = (await client.system()).counts
    return Sample(
        rss_kb,
        files,
        await plain.dbsize(),
        int(memory["used_memory"]),
        int(clients["connected_clients"]),
        inboxes,
        counts.get("completed", 0),
    )


class Load:
    """Starts workflows at an even pace, as far as the machine allows."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.started = 0
        self.over = False

    async def run(self, number: int) -> None:
        """Start one share of them."""
        pause_s = STARTERS * len(STAGES) / STAGES_PER_S
        due_s = time.monotonic()
        async with Stagewright(self._url) as client:
            while not self.over:
                try:
                    await client.start("houses", {"number": number, "done": []})
                    self.started += 1
                except StagewrightError:
                    await anyio.sleep(0.5)
                due_s = max(due_s + pause_s, time.monotonic() - 1.0)
                await anyio.sleep(max(0.0, due_s - time.monotonic()))


async def soaked(folder: Path) -> tuple[list[Sample], int, float]:
    """Let it run; return a sample for each period, how many were started, and how long it took."""
    samples: list[Sample] = []
    environment: dict[str, Any] = {
        "STAGEWRIGHT_LEASE_S": "30",
        "STAGEWRIGHT_RETENTION_S": RETENTION_S,
        "STAGEWRIGHT_TOMBSTONE_S": RETENTION_S,
        "STAGEWRIGHT_FEED_RETENTION_S": RETENTION_S,
        "STAGEWRIGHT_LOG_LEVEL": "warning",
        "JOURNAL": "off",
    }
    with RedisServer(appendonly="everysec") as redis:
        deployment, load = Deployment(redis, folder, **environment), Load(redis.url)
        await register(redis.url)
        await anyio.to_thread.run_sync(deployment.start)
        begun_s = time.monotonic()
        async with (
            Redis.from_url(redis.url) as plain,
            Stagewright(redis.url) as client,
            anyio.create_task_group() as group,
        ):
            for number in range(STARTERS):
                group.start_soon(load.run, number)
            for _ in range(PERIODS):
                await anyio.sleep(60 * MINUTES / PERIODS)
                samples.append(await sample(deployment, plain, client))
                sys.stdout.write(f"{samples[-1]}\n")
            load.over = True
        took_s = time.monotonic() - begun_s
        await anyio.to_thread.run_sync(deployment.stop)
    return samples, load.started, took_s


def grown(samples: list[Sample], name: str) -> float:
    """Return how much more it is in the last third than in the second, as a share."""
    third = len(samples) // 3
    middle = [getattr(one, name) for one in samples[third : 2 * third]]
    last = [getattr(one, name) for one in samples[2 * third :]]
    before = sum(middle) / len(middle)
    return (sum(last) / len(last) - before) / max(before, 1)


async def test_ten_minutes_of_work_leave_nothing_growing(tmp_path: Path) -> None:
    samples, started, took_s = await soaked(tmp_path)
    rate = started * len(STAGES) / took_s
    sys.stdout.write(f"{started} workflows, {rate:.0f} stages a second\n")
    growth = {name: grown(samples, name) for name in ALLOWED}
    sys.stdout.write(f"{growth}\n")
    assert [name for name, most in ALLOWED.items() if growth[name] > most] == []
    assert all(one.inboxes < 10_000 for one in samples)

"""Processes of agents on Redis that are frozen beyond their leases, and wake up."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import anyio

from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import gather, judge, read_journals
from stagewright.testing.servers import RedisServer
from tests.faults.load import Submitter
from tests.faults.pipeline import STAGES
from tests.faults.test_kills_redis import SEED, Deployment, register, wait_for_all

LEASE_S = 2.0
WORK_S = "0.4"
"""So long that whoever is frozen holds tasks."""


async def frozen(deployment: Deployment, chance: random.Random) -> None:
    """Freeze a process of agents until others have its tasks, and let it go on."""
    victim = chance.choice([one for one in deployment.members if one.name.startswith("agents")])
    os.kill(victim.pid, signal.SIGSTOP)
    try:
        await anyio.sleep(LEASE_S + 0.3 + chance.random())
    finally:
        os.kill(victim.pid, signal.SIGCONT)
    await anyio.sleep(0.3)


async def survived(folder: Path, workflows: int, pauses: int) -> list[str]:
    """Freeze while workflows run; return what the checker says of them afterwards."""
    chance = random.Random(SEED)
    with RedisServer(appendonly="always") as redis:
        deployment = Deployment(redis, folder, WORK_S=WORK_S)
        await register(redis.url)
        await anyio.to_thread.run_sync(deployment.start)
        submitter = Submitter(redis.url)
        async with anyio.create_task_group() as group:
            group.start_soon(submitter.submit, range(workflows), 0.05)
            for _ in range(pauses):
                await frozen(deployment, chance)
        await wait_for_all(redis.url, workflows)
        deployment.stop()
        async with opened(Settings(url=redis.url)) as container:
            evidence = await gather(container.backend().store, submitter.acknowledged)
    journal = read_journals(folder / "journal")
    assert len(journal) > workflows * len(STAGES), "nobody was frozen with a task in hand"
    return judge(submitter.acknowledged, evidence, journal)


async def test_who_was_frozen_beyond_its_lease_changes_nothing(tmp_path: Path) -> None:
    assert await survived(tmp_path, workflows=120, pauses=4) == []

"""Agents of another process on SQLite, while they and the owner of the file are killed again."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import anyio

from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import gather, judge, read_journals
from tests.faults.load import Submitter
from tests.faults.test_kills_redis import PIPELINE, SEED, Scale, register
from tests.faults.test_kills_sqlite import wait_for_all
from tests.processes import Member

FEW = Scale(workflows=15, kills=2)


async def survived(folder: Path, scale: Scale) -> list[str]:
    """Kill owner or agents while workflows run; return what the checker says afterwards."""
    chance = random.Random(SEED)
    sys.stdout.write(f"replay with KILL_SEED={SEED}\n")
    url = f"sqlite:///{folder / 'state.db'}"
    (folder / "journal").mkdir()
    env = {
        "JOURNAL_FOLDER": str(folder / "journal"),
        "STAGEWRIGHT_URL": url,
        "STAGEWRIGHT_LEASE_S": "2",
        "PYTHONPATH": str(PIPELINE.parents[2]),
    }
    owner = Member("owner", ["serve"], env, folder).start().wait_ready()
    await register(url)
    agents = Member("agents", ["agent", "run", str(PIPELINE)], env, folder).start().wait_ready()
    submitter = Submitter(url)
    async with anyio.create_task_group() as group:
        group.start_soon(submitter.submit, range(scale.workflows), scale.pause_s)
        for number in range(scale.kills):
            await anyio.sleep(0.3 + chance.random())
            victim = (owner, agents)[number % 2]
            victim.kill()
            await anyio.sleep(chance.random() / 4)
            await anyio.to_thread.run_sync(lambda one=victim: one.start().wait_ready())
    await wait_for_all(submitter, scale.workflows)
    assert agents.running  # it went on through every owner
    for member in (agents, owner):
        member.stop()
    async with opened(Settings(url=url)) as container:
        evidence = await gather(container.backend().store, submitter.acknowledged)
    assert len(submitter.acknowledged) == scale.workflows
    return judge(submitter.acknowledged, evidence, read_journals(folder / "journal"))


async def test_nothing_is_lost_or_done_twice_when_agents_or_their_server_are_killed(
    tmp_path: Path,
) -> None:
    assert await survived(tmp_path, FEW) == []

"""Workflows on SQLite while the one process that owns the file is killed again and again."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import anyio

from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import gather, judge, read_journals
from tests.faults.load import Submitter
from tests.faults.test_kills_redis import PIPELINE, SEED, SMALL, Scale
from tests.processes import Member

RECOVERY_LIMIT_S = 60.0


async def wait_for_all(submitter: Submitter, workflows: int) -> None:
    """Ask through the owner's door until everything has ended."""
    with anyio.fail_after(RECOVERY_LIMIT_S):
        while await submitter.completed() < workflows:  # noqa: ASYNC110 - over a door
            await anyio.sleep(0.3)


async def survived(folder: Path, scale: Scale) -> list[str]:
    """Kill while workflows run; return what the checker says of them afterwards."""
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
    owner = Member("owner", ["serve", str(PIPELINE)], env, folder).start().wait_ready()
    submitter = Submitter(url)
    async with anyio.create_task_group() as group:
        group.start_soon(submitter.submit, range(scale.workflows), scale.pause_s)
        for _ in range(scale.kills):
            await anyio.sleep(0.1 + chance.random() * 0.5)
            owner.kill()
            await anyio.sleep(chance.random() / 4)
            await anyio.to_thread.run_sync(lambda: owner.start().wait_ready())
    await wait_for_all(submitter, scale.workflows)
    owner.stop()
    async with opened(Settings(url=url)) as container:
        evidence = await gather(container.backend().store, submitter.acknowledged)
    assert len(submitter.acknowledged) == scale.workflows
    return judge(submitter.acknowledged, evidence, read_journals(folder / "journal"))


async def test_nothing_is_lost_or_done_twice_when_the_owner_is_killed(tmp_path: Path) -> None:
    assert await survived(tmp_path, SMALL) == []

"""300 workflows on SQLite while the one process that owns the file is killed 30 times."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import anyio

from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import gather, judge, read_journals
from tests.faults.load import Submitter
from tests.faults.test_kills_redis import KILLS, PIPELINE, SEED, WORKFLOWS
from tests.processes import Member

RECOVERY_LIMIT_S = 60.0


async def wait_for_all(submitter: Submitter) -> None:
    """Ask through the owner's door until everything has ended."""
    with anyio.fail_after(RECOVERY_LIMIT_S):
        while await submitter.completed() < WORKFLOWS:  # noqa: ASYNC110 - over a door
            await anyio.sleep(0.3)


async def test_nothing_is_lost_or_done_twice_when_the_owner_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    sys.stdout.write(f"replay with KILL_SEED={SEED}\n")
    url = f"sqlite:///{tmp_path / 'state.db'}"
    (tmp_path / "journal").mkdir()
    env = {
        "JOURNAL_FOLDER": str(tmp_path / "journal"),
        "STAGEWRIGHT_URL": url,
        "STAGEWRIGHT_LEASE_S": "2",
        "PYTHONPATH": str(PIPELINE.parents[2]),
    }
    owner = Member("owner", ["serve", str(PIPELINE)], env, tmp_path).start().wait_ready()
    submitter = Submitter(url)
    async with anyio.create_task_group() as group:
        group.start_soon(submitter.submit, range(WORKFLOWS), 0.05)
        for _ in range(KILLS):
            await anyio.sleep(0.1 + chance.random() * 0.5)
            owner.kill()
            await anyio.sleep(chance.random() / 4)
            await anyio.to_thread.run_sync(lambda: owner.start().wait_ready())
    await wait_for_all(submitter)
    owner.stop()
    async with opened(Settings(url=url)) as container:
        evidence = await gather(container.backend().store, submitter.acknowledged)
    assert len(submitter.acknowledged) == WORKFLOWS
    assert judge(submitter.acknowledged, evidence, read_journals(tmp_path / "journal")) == []

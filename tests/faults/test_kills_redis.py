"""Workflows on Redis while processes are killed at random: nothing lost, nothing twice."""

from __future__ import annotations

import atexit
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from stagewright import Stagewright
from stagewright.application.loading import load
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import gather, judge, read_journals
from stagewright.testing.servers import RedisServer
from tests.faults.load import Submitter
from tests.processes import Member

RECOVERY_LIMIT_S = 60.0
PIPELINE = Path(__file__).with_name("pipeline.py")
SEED = int(os.environ.get("KILL_SEED", "20261122"))


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    workflows: int
    kills: int
    pause_s: float = 0.05
    """Between two starts."""


SMALL = Scale(workflows=300, kills=30)


class Deployment:
    """Two orchestrators, two agent processes and their Redis; any of them can be killed."""

    NAMES = ("orchestrator-1", "orchestrator-2", "agents-steps", "agents-inbox")
    """Agents are named for how they hand in."""

    def __init__(
        self,
        redis: RedisServer,
        folder: Path,
        urls: Mapping[str, str] | None = None,
        **environment: str,
    ) -> None:
        """`urls`: by process, where it finds the server."""
        self.redis, self._folder, self._environment = redis, folder, environment
        (folder / "journal").mkdir()
        atexit.register(self.stop)  # also when a test fails half way
        self.members = [
            self._member(name, (urls or {}).get(name, redis.url)) for name in self.NAMES
        ]

    def _member(self, name: str, url: str) -> Member:
        kind, _, way = name.partition("-")
        env = {
            "JOURNAL_FOLDER": str(self._folder / "journal"),
            "STAGEWRIGHT_URL": url,
            "STAGEWRIGHT_LEASE_S": "2",
            "PYTHONPATH": str(PIPELINE.parents[2]),
            **self._environment,
        }
        if kind == "orchestrator":
            return Member(name, ["serve"], env, self._folder)
        run = ["agent", "run", str(PIPELINE)]
        return Member(name, run, env | {"STAGEWRIGHT_HAND_IN": way}, self._folder)

    def leave_out(self, name: str) -> None:
        """Do without one."""
        self.members = [member for member in self.members if member.name != name]

    def start(self) -> None:
        for member in self.members:
            member.start()
        for member in self.members:
            member.wait_ready()

    def stop(self) -> None:
        for member in self.members:
            member.stop()

    async def kill_one(self, chance: random.Random) -> str:
        victim = chance.choice([*self.members, None])
        if victim is None:
            self.redis.kill()
            await anyio.sleep(chance.random() / 2)
            await anyio.to_thread.run_sync(self.redis.restart)
            return "redis"
        victim.kill()
        await anyio.sleep(chance.random() / 2)
        victim.start()
        return victim.name


async def register(url: str) -> None:
    loaded = load([str(PIPELINE)])
    async with Stagewright(url) as client:
        for definition in loaded.definitions:
            await client.register(
                definition.model_dump(mode="json", by_alias=True),
                contracts=[a.contract.model_dump(mode="json") for a in loaded.agents],
            )


async def wait_for_all(url: str, workflows: int) -> None:
    async with opened(Settings(url=url)) as container:
        with anyio.fail_after(RECOVERY_LIMIT_S):
            while True:
                counts = await container.backend().store.counts()
                if counts.get("completed", 0) >= workflows:
                    return
                await anyio.sleep(0.2)


async def survived(folder: Path, scale: Scale) -> list[str]:
    """Kill while workflows run; return what the checker says of them afterwards."""
    chance = random.Random(SEED)
    sys.stdout.write(f"replay with KILL_SEED={SEED}\n")
    with RedisServer(appendonly="always") as redis:
        deployment = Deployment(redis, folder)
        await register(redis.url)
        deployment.start()
        submitter = Submitter(redis.url)
        async with anyio.create_task_group() as group:
            group.start_soon(submitter.submit, range(scale.workflows), scale.pause_s)
            for _ in range(scale.kills):
                await anyio.sleep(0.2 + chance.random() * 0.6)
                await deployment.kill_one(chance)
        await wait_for_all(redis.url, scale.workflows)
        deployment.stop()
        async with opened(Settings(url=redis.url)) as container:
            evidence = await gather(container.backend().store, submitter.acknowledged)
    assert len(submitter.acknowledged) == scale.workflows
    return judge(submitter.acknowledged, evidence, read_journals(folder / "journal"))


async def test_nothing_is_lost_or_done_twice_when_any_process_is_killed(tmp_path: Path) -> None:
    assert await survived(tmp_path, SMALL) == []

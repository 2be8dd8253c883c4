"""A deployment over a Redis Cluster whose slots move and whose masters are killed."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
from redis.crc import key_slot

from stagewright import Stagewright
from stagewright.adapters.redis.keys import Keys
from stagewright.application.loading import load
from stagewright.entrypoints.container import opened
from stagewright.entrypoints.settings import Settings
from stagewright.testing.checker import Evidence, gather, judge, read_journals
from stagewright.testing.servers import RedisCluster
from tests.faults.load import Submitter
from tests.processes import Member

PARTITIONS = 12
PIPELINE = Path(__file__).with_name("pipeline.py")


class Shards:
    """Two orchestrators and two agent processes; all of them reach every shard."""

    def __init__(self, cluster: RedisCluster, folder: Path, chance: random.Random) -> None:
        self.cluster, self._folder, self._chance = cluster, folder, chance
        self.settings = Settings(url=cluster.url, partitions=PARTITIONS)
        env = {
            "JOURNAL_FOLDER": str(folder / "journal"),
            "STAGEWRIGHT_URL": cluster.url,
            "STAGEWRIGHT_LEASE_S": "2",
            "PYTHONPATH": str(PIPELINE.parents[2]),
        }
        (folder / "journal").mkdir()
        run = ["agent", "run", str(PIPELINE)]
        self.members = [
            *(Member(f"orchestrator-{n}", ["serve"], env, folder) for n in (1, 2)),
            *(
                Member(f"agents-{way}", run, env | {"STAGEWRIGHT_HAND_IN": way}, folder)
                for way in ("steps", "inbox")
            ),
        ]
        self.submitter = Submitter(cluster.url)

    async def start(self) -> None:
        """Create the namespace, register the pipeline and start everyone."""
        loaded = load([str(PIPELINE)])
        async with opened(self.settings):
            pass
        async with Stagewright(self.cluster.url) as client:
            for definition in loaded.definitions:
                await client.register(
                    definition.model_dump(mode="json", by_alias=True),
                    contracts=[agent.contract.model_dump(mode="json") for agent in loaded.agents],
                )
        for member in self.members:
            member.start()
        for member in self.members:
            member.wait_ready()

    def stop(self) -> None:
        """End everyone."""
        for member in self.members:
            member.stop()

    def slots(self) -> list[int]:
        """Return the slot of each partition."""
        parts = Keys(self.settings.namespace, PARTITIONS).partitions
        return [key_slot(part.marks.encode()) for part in parts]

    async def move_one(self) -> None:
        """Move the slot of some partition to some other master, a few keys at a time."""
        slot, masters = self._chance.choice(self.slots()), self.cluster.masters()
        owner = self.cluster.owner_of(slot)
        target = self._chance.choice([node for node in masters if node.port != owner.port])
        await anyio.to_thread.run_sync(lambda: self.cluster.move_slot(slot, target, keys_at_once=3))

    async def completed(self, workflows: int, limit_s: float) -> None:
        """Wait until so many workflows have completed."""
        async with opened(self.settings) as container:
            with anyio.fail_after(limit_s):
                while True:
                    counts = await container.backend().store.counts()
                    if counts.get("completed", 0) >= workflows:
                        return
                    await anyio.sleep(0.2)

    async def evidence(self) -> list[Evidence]:
        """Return what is stored of all that was acknowledged."""
        async with opened(self.settings) as container:
            return await gather(container.backend().store, self.submitter.acknowledged)

    async def violations(self) -> list[str]:
        """Let the independent judge look at everything."""
        journal = read_journals(self._folder / "journal")
        return judge(self.submitter.acknowledged, await self.evidence(), journal)

    def said(self) -> str:
        """Return what all processes wrote."""
        return "\n".join(member.log for member in self.members)

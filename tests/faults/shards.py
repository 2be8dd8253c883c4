"""A crew over a Redis Cluster whose slots move and whose masters are killed."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
from redis.crc import key_slot

from stagewright.adapters.redis.keys import Keys
from stagewright.entrypoints.settings import Settings
from stagewright.testing.servers import RedisCluster
from tests.faults.crew import Crew

PARTITIONS = 12


class Shards(Crew):
    """Everyone reaches every shard."""

    def __init__(self, cluster: RedisCluster, folder: Path, chance: random.Random) -> None:
        super().__init__(Settings(url=cluster.url, partitions=PARTITIONS), folder)
        self._cluster, self._chance = cluster, chance
        parts = Keys(self.settings.namespace, PARTITIONS).partitions
        self._slots = [key_slot(part.marks.encode()) for part in parts]

    async def move_one(self) -> None:
        """Move the slot of some partition to some other master, a few keys at a time."""
        slot = self._chance.choice(self._slots)
        owner = self._cluster.owner_of(slot)
        others = [node for node in self._cluster.masters() if node is not owner]
        target = self._chance.choice(others)
        move = self._cluster.move_slot
        await anyio.to_thread.run_sync(lambda: move(slot, target, keys_at_once=3))

    async def kill_a_master(self) -> None:
        """Kill one, wait until its replica serves, and start it again as that one's replica."""
        victim = self._chance.choice(self._cluster.masters())
        await anyio.to_thread.run_sync(victim.kill)
        await anyio.to_thread.run_sync(self._cluster.wait_served)
        await anyio.sleep(self._chance.random() / 2)
        await anyio.to_thread.run_sync(victim.start)
        await anyio.to_thread.run_sync(self._cluster.wait_whole)

    def on_every_shard(self) -> bool:
        """Whether each partition has had workflows."""
        used = {id_.partition("-")[0] for id_ in self.submitter.acknowledged}
        return len(used) == PARTITIONS

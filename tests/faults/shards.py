"""A crew over a Redis Cluster whose slots move and whose masters are killed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import anyio
from redis.crc import key_slot
from redis.exceptions import RedisError

from stagewright.adapters.redis.keys import Keys
from stagewright.entrypoints.settings import Settings
from stagewright.testing.servers import RedisCluster, RedisServer
from tests.faults.crew import Crew

PARTITIONS = 12
MOVE_LIMIT_S = 30.0


class Shards(Crew):
    """Everyone reaches every shard."""

    def __init__(
        self, cluster: RedisCluster, folder: Path, chance: random.Random, query: str = ""
    ) -> None:
        super().__init__(Settings(url=cluster.url + query, partitions=PARTITIONS), folder)
        self._cluster, self._chance = cluster, chance
        parts = Keys(self.settings.namespace, PARTITIONS).partitions
        self._slots = [key_slot(part.marks.encode()) for part in parts]
        self._victim: RedisServer | None = None
        self._moving = anyio.Lock()

    async def move_one(self) -> None:
        """Move the slot of some partition to some other master, a few keys at a time."""
        slot, choice = self._chance.choice(self._slots), self._chance.random()
        async with self._moving:
            await anyio.to_thread.run_sync(self._move, slot, choice)

    def _move(self, slot: int, choice: float) -> None:
        cluster, owner = self._cluster, self._cluster.owner_of(slot)
        able = [node for node in cluster.masters() if node is not owner and cluster.followed(node)]
        if able and owner is not self._victim:
            target = able[int(choice * len(able))]
            cluster.begin_move(slot, target)
            self._end_move(slot, target)

    def _end_move(self, slot: int, target: RedisServer) -> None:
        """Go on with a move until it is done: while a master is replaced, nodes refuse it."""
        give_up_s = time.monotonic() + MOVE_LIMIT_S
        while True:
            try:
                self._cluster.end_move(slot, target, keys_at_once=3)
                self._cluster.wait_followed(target)
            except RedisError:
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(0.05)
            else:
                return

    async def kill_a_master(self) -> None:
        """Kill one, wait until its replica serves, and start it again as that one's replica.

        Not while keys are between two masters: what MIGRATE has moved, no replica may have yet.
        """
        victim = self._chance.choice(self._cluster.masters())
        async with self._moving:
            self._victim = victim
            await anyio.to_thread.run_sync(victim.kill)
        await anyio.to_thread.run_sync(self._cluster.wait_replaced, victim)
        await anyio.sleep(self._chance.random() / 2)
        await anyio.to_thread.run_sync(victim.start)
        await anyio.to_thread.run_sync(self._cluster.wait_whole)
        self._victim = None

    def on_every_shard(self) -> bool:
        """Whether each partition has had workflows."""
        used = {id_.partition("-")[0] for id_ in self.submitter.acknowledged}
        return len(used) == PARTITIONS

"""Masters of a cluster are killed while slots move, under load: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import anyio

from stagewright.testing.servers import RedisCluster
from tests.faults.shards import Shards

WORKFLOWS = 400
KILLS = 8
RECOVERY_LIMIT_S = 120.0
SEED = int(os.environ.get("CLUSTER_SEED", "20261122"))


async def move_slots(shards: Shards) -> None:
    while True:
        await shards.move_one()
        await anyio.sleep(0.2)


async def submit_and_kill(shards: Shards) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(shards.submitter.submit, range(WORKFLOWS), 0.05)
        for _ in range(KILLS):
            await anyio.sleep(1.0)
            await shards.kill_a_master()


async def test_masters_may_be_killed_while_slots_move(tmp_path: Path) -> None:
    sys.stdout.write(f"replay with CLUSTER_SEED={SEED}\n")
    with RedisCluster(appendonly="always") as cluster:
        shards = Shards(cluster, tmp_path, random.Random(SEED), "?replicas=1")
        await shards.start()
        async with anyio.create_task_group() as group:
            group.start_soon(move_slots, shards)
            await submit_and_kill(shards)
            group.cancel_scope.cancel()
        await shards.completed(WORKFLOWS, RECOVERY_LIMIT_S)
        await shards.stop()
        assert await shards.violations() == []
        assert await shards.losses() == []
    assert len(shards.submitter.acknowledged) == WORKFLOWS
    assert shards.on_every_shard()
    assert "CROSSSLOT" not in shards.said()

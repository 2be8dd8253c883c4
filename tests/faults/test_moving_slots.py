"""Slots move from shard to shard while workflows run on them: nobody notices more than a pause."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import anyio

from stagewright.testing.servers import RedisCluster
from tests.faults.shards import Shards

WORKFLOWS = 80
MOVES = 15
SEED = int(os.environ.get("MOVE_SEED", "20261122"))


async def test_nothing_is_lost_or_done_twice_when_slots_move_under_load(tmp_path: Path) -> None:
    sys.stdout.write(f"replay with MOVE_SEED={SEED}\n")
    with RedisCluster(appendonly="always") as cluster:
        shards = Shards(cluster, tmp_path, random.Random(SEED))
        await shards.start()
        async with anyio.create_task_group() as group:
            group.start_soon(shards.submitter.submit, range(WORKFLOWS), 0.03)
            for _ in range(MOVES):
                await anyio.sleep(0.2)
                await shards.move_one()
        await shards.completed(WORKFLOWS, 60)
        await shards.stop()
        assert await shards.violations() == []
    assert len(shards.submitter.acknowledged) == WORKFLOWS
    assert shards.on_every_shard()
    assert "CROSSSLOT" not in shards.said()

"""A replica takes over under load, cut off from its master before: three times here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stagewright.domain.ids import partition_of
from tests.faults.takeovers import Takeovers

WORKFLOWS = int(os.environ.get("FAILOVER_WORKFLOWS", "60"))
TAKEOVERS = int(os.environ.get("FAILOVERS", "3"))
SEED = int(os.environ.get("FAILOVER_SEED", "20261122"))
RECOVERY_LIMIT_S = 90.0


async def test_nothing_acknowledged_is_lost_when_answers_waited_for_the_replica(
    tmp_path: Path,
) -> None:
    sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
    async with Takeovers.running(tmp_path, SEED, "?replicas=1") as crew:
        await crew.under_load(WORKFLOWS, TAKEOVERS)
        await crew.completed(WORKFLOWS, RECOVERY_LIMIT_S)
        assert crew.lost == set()
        assert await crew.violations() == []
        assert await crew.losses() == []
    assert len(crew.submitter.acknowledged) == WORKFLOWS


async def test_what_is_lost_without_waiting_is_noticed_and_all_else_goes_on(
    tmp_path: Path,
) -> None:
    sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
    async with Takeovers.running(tmp_path, SEED) as crew:
        await crew.under_load(WORKFLOWS, TAKEOVERS)
        assert await crew.reported({partition_of(id_) for id_ in crew.lost}, 20)
        await crew.submitter.submit(range(WORKFLOWS), 0.0)  # their keys: what is there is not made
        await crew.completed(WORKFLOWS, RECOVERY_LIMIT_S)
        assert await crew.violations() == []
    assert crew.lost
    assert "loss_noticed" in crew.said()

"""A replica takes over under load twenty times, cut off from its master before each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.faults.takeovers import prove_losses_are_noticed, prove_nothing_is_lost

WORKFLOWS = 400
TAKEOVERS = 20
SEED = int(os.environ.get("FAILOVER_SEED", "20261122"))


async def test_nothing_acknowledged_is_lost_in_twenty_takeovers(tmp_path: Path) -> None:
    sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
    await prove_nothing_is_lost(tmp_path, SEED, workflows=WORKFLOWS, takeovers=TAKEOVERS)


async def test_every_loss_of_twenty_takeovers_is_noticed(tmp_path: Path) -> None:
    sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
    await prove_losses_are_noticed(tmp_path, SEED, workflows=WORKFLOWS, takeovers=TAKEOVERS)

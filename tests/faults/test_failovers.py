"""A replica takes over under load, cut off from its master before: three times here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.faults.takeovers import prove_losses_are_noticed, prove_nothing_is_lost

SEED = int(os.environ.get("FAILOVER_SEED", "20261122"))


class TestReplicated:
    async def test_nothing_acknowledged_is_lost_when_answers_waited_for_the_replica(
        self, tmp_path: Path
    ) -> None:
        sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
        await prove_nothing_is_lost(tmp_path, SEED, workflows=60, takeovers=3)


class TestWindow:
    async def test_what_is_lost_without_waiting_is_noticed_and_all_else_goes_on(
        self, tmp_path: Path
    ) -> None:
        sys.stdout.write(f"replay with FAILOVER_SEED={SEED}\n")
        await prove_losses_are_noticed(tmp_path, SEED, workflows=60, takeovers=3)

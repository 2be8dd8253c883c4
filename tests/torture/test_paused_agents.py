"""Processes of agents on Redis are frozen beyond their leases 60 times."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_paused_agents import survived


async def test_sixty_frozen_processes_change_nothing(tmp_path: Path) -> None:
    assert await survived(tmp_path, workflows=600, pauses=60) == []

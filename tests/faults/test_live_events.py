"""Live events while servers are killed: nothing is missing, nothing comes twice."""

from __future__ import annotations

from pathlib import Path

from tests.faults.live import heard_and_logged


async def test_who_leaves_after_each_event_hears_each_once_though_servers_are_killed(
    tmp_path: Path,
) -> None:
    log, one, everything = await heard_and_logged(tmp_path, events=150, kills=2)
    assert len(log) >= 150
    assert one == log
    assert everything == log

"""Live events over a thousand connections, while servers are killed."""

from __future__ import annotations

from pathlib import Path

from tests.faults.live import heard_and_logged


async def test_a_thousand_connections_hear_each_event_once_though_servers_are_killed(
    tmp_path: Path,
) -> None:
    log, one, everything = await heard_and_logged(tmp_path, events=1_000, kills=8)
    assert len(log) >= 1_000
    assert one == log
    assert everything == log

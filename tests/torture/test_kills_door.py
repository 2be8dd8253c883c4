"""The same as in the quick tier, for long."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_kills_door import survived
from tests.faults.test_kills_redis import Scale

LONG = Scale(workflows=600, kills=60)


async def test_nothing_is_lost_or_done_twice_in_sixty_kills_of_agents_and_server(
    tmp_path: Path,
) -> None:
    assert await survived(tmp_path, LONG) == []

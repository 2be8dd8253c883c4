"""200 kills of the owner of a SQLite file over 2,000 workflows."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_kills_redis import Scale
from tests.faults.test_kills_sqlite import survived


async def test_two_hundred_kills_of_the_owner_lose_nothing(tmp_path: Path) -> None:
    assert await survived(tmp_path, Scale(workflows=2_000, kills=200)) == []

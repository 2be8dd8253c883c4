"""200 kills of any process over 2,000 workflows on Redis."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_kills_redis import Scale, survived


async def test_two_hundred_kills_of_any_process_lose_nothing(tmp_path: Path) -> None:
    assert await survived(tmp_path, Scale(workflows=2_000, kills=200)) == []

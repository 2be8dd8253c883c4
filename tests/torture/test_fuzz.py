"""100,000 malformed messages on memory, SQLite and Redis."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.test_fuzz import GROWTH_KB, PAUSE_S, fuzzed

COUNTS = {"memory": 40_000, "sqlite": 20_000, "redis": 40_000}


@pytest.mark.parametrize("place", COUNTS)
async def test_a_hundred_thousand_malformed_messages_find_their_end(
    tmp_path: Path, place: str
) -> None:
    found = await fuzzed(place, tmp_path, COUNTS[place])
    sys.stdout.write(f"{place}: {found}\n")
    assert found.problems == []
    assert found.letters == found.fates["dead letter"] > COUNTS[place] / 2
    assert found.fates.total() == COUNTS[place]
    assert found.longest_pause_s < PAUSE_S
    assert found.growth_kb < GROWTH_KB

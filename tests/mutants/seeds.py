"""Histories from seeds, for bugs that are planted: `make test` runs more of them by itself."""

from __future__ import annotations

import pytest

from stagewright.testing.simulation.run import simulate

AT_ONCE = 10


@pytest.mark.parametrize("first", range(0, 250, AT_ONCE))
def test_no_promise_is_broken(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        assert simulate(seed).violations == [], f"seed {seed}"

"""The simulation finds what is wrong: every planted bug, within a few seeds."""

from __future__ import annotations

import pytest

from stagewright.testing.simulation.run import simulate
from tests.simulation.planted import PLANTS, Plant

SEEDS = 250
"""Most are found in the first ten; histories change with every change of the code."""


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(simulate(seed).violations for seed in range(SEEDS))

from __future__ import annotations

from stagewright.adapters.system.randomness import SystemRandom


def test_floats_lie_between_0_and_1_and_differ_between_generators() -> None:
    first, second = SystemRandom(), SystemRandom()
    drawn = [first.random() for _ in range(1_000)]
    assert all(0 <= value < 1 for value in drawn)
    assert 0.4 < sum(drawn) / 1_000 < 0.6
    assert drawn != [second.random() for _ in range(1_000)]

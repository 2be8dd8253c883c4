from __future__ import annotations

from uuid import UUID

from stagewright.testing.clock import VirtualClock
from stagewright.testing.identifiers import SeededIdentifiers
from stagewright.testing.randomness import SeededRandom


def drawn(seed: int, count: int = 100) -> list[str]:
    identifiers = SeededIdentifiers(seed)
    return [draw() for _ in range(count) for draw in (identifiers.uuid7, identifiers.short)]


def test_the_same_seed_gives_the_same_ids() -> None:
    assert drawn(7) == drawn(7)


def test_ids_are_unique_within_a_seed_and_differ_between_seeds() -> None:
    assert len({*drawn(1, 6_000), *drawn(2, 6_000)}) == 24_000


def test_seeded_uuid7s_look_and_sort_like_real_ones() -> None:
    clock = VirtualClock()
    identifiers = SeededIdentifiers(1, clock)
    first = identifiers.uuid7()
    clock.set_ms(clock.now_ms() + 1)
    second = identifiers.uuid7()
    assert UUID(first).version == UUID(second).version == 7
    assert first < second
    assert int(second[:12], 16) == clock.now_ms()


def test_seeded_uuid7s_drawn_at_one_instant_sort_in_the_order_drawn() -> None:
    identifiers = SeededIdentifiers(1)
    found = [identifiers.uuid7() for _ in range(10_000)]
    assert found == sorted(found)


def test_the_same_seed_gives_the_same_chances() -> None:
    first, again, other = SeededRandom(1), SeededRandom(1), SeededRandom(2)
    drawn = [first.random() for _ in range(10)]
    assert drawn == [again.random() for _ in range(10)]
    assert drawn != [other.random() for _ in range(10)]
    assert all(0 <= value < 1 for value in drawn)

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stagewright.adapters.redis.lanes import Lanes, allot, share
from stagewright.ports.task_queue import Want

WANT = Want(("a@1.0", "a@1.1"), 5)

counts = st.integers(0, 5)
offers = st.dictionaries(
    st.integers(0, 6), st.tuples(st.tuples(counts, counts, counts, counts)), max_size=5
)


def test_nothing_seen_is_nothing_to_guess() -> None:
    assert Lanes().best(WANT, lowest_first=False) == []


def test_the_partitions_with_the_most_urgent_tasks_come_first() -> None:
    lanes = Lanes()
    for lane, partition, priority in (("a@1.0", 0, 3), ("a@1.1", 1, 1), ("a@1.0", 2, 1)):
        lanes.note(lane, partition, priority)
    lanes.note("b@1.0", 3, 0)
    assert sorted(lanes.best(WANT, lowest_first=False)) == [1, 2]
    assert lanes.best(WANT, lowest_first=True) == [0]


def test_a_lower_priority_does_not_hide_a_higher_one() -> None:
    lanes = Lanes()
    lanes.note("a@1.0", 0, 1)
    lanes.note("a@1.0", 0, 3)
    lanes.note("a@1.0", 1, 2)
    assert lanes.best(WANT, lowest_first=False) == [0]


def test_what_was_claimed_is_forgotten_until_it_is_seen_again() -> None:
    lanes = Lanes()
    lanes.note("a@1.0", 0, 1)
    lanes.forget(("a@1.0", "a@1.1"), 0)
    assert lanes.best(WANT, lowest_first=False) == []
    lanes.note("a@1.0", 0, 2)
    assert lanes.best(WANT, lowest_first=False) == [0]


@given(st.integers(0, 20), st.lists(st.integers(0, 9), unique=True), st.integers(0, 99))
def test_a_share_is_even_and_whole(slots: int, partitions: list[int], turn: int) -> None:
    shares = share(slots, partitions, turn)
    assert sum(shares.values()) == (slots if partitions else 0)
    each = [shares.get(partition, 0) for partition in partitions]
    assert not each or max(each) - min(each) <= 1


def test_small_shares_go_round() -> None:
    assert [list(share(1, [4, 5, 6], turn)) for turn in range(4)] == [[4], [5], [6], [4]]


@given(offers, st.integers(0, 12), st.integers(0, 9), st.booleans())
def test_slots_are_allotted_to_what_comes_first(
    offers: dict[int, tuple[tuple[int, ...]]], slots: int, turn: int, lowest: bool
) -> None:
    quotas = allot(offers, [slots], turn, lowest_first=lowest)
    waiting = {partition: sum(offer[0]) for partition, offer in offers.items()}
    granted = {partition: quota[0] for partition, quota in quotas.items()}
    assert sum(granted.values()) == min(slots, sum(waiting.values()))
    taken = {p: _first(offer[0], granted.get(p, 0), lowest) for p, offer in offers.items()}
    order = (3, 2, 1, 0) if lowest else (0, 1, 2, 3)
    for earlier, later in pairwise(order):
        all_earlier = all(taken[p][earlier] == offers[p][0][earlier] for p in offers)
        assert all_earlier or not any(taken[p][later] for p in offers)


def _first(offer: tuple[int, ...], quota: int, lowest: bool) -> list[int]:
    """Return how many of each priority a claim takes."""
    taken = [0] * 4
    for priority in (3, 2, 1, 0) if lowest else (0, 1, 2, 3):
        taken[priority] = min(quota, offer[priority])
        quota -= taken[priority]
    return taken


def test_one_priority_is_taken_evenly() -> None:
    offers = dict.fromkeys(range(4), ((0, 0, 9, 0),))
    quotas = allot(offers, [8], 0, lowest_first=False)
    assert quotas == {number: [2] for number in range(4)}


def test_each_want_has_its_own_slots() -> None:
    offers = {0: ((1, 0, 0, 0), (0, 0, 0, 0)), 1: ((5, 0, 0, 0), (0, 0, 0, 7))}
    quotas = allot(offers, [3, 2], 0, lowest_first=False)
    assert {partition: quota[0] for partition, quota in quotas.items()} == {0: 1, 1: 2}
    assert quotas[1][1] == 2

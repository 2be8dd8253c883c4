from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from stagewright.adapters.memory.queues import Inbox, Ordered

KEYS = st.sampled_from("abcdef")
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 5)), max_size=60)


def test_equal_ranks_keep_the_order_in_which_they_were_put() -> None:
    ordered: Ordered[str] = Ordered()
    for key in ("c", "a", "b"):
        ordered.put(key, 1)
    assert ordered.until(1, limit=9) == [(1, "c"), (1, "a"), (1, "b")]


def test_looking_changes_nothing() -> None:
    ordered: Ordered[str] = Ordered()
    for rank, key in enumerate("abcd"):
        ordered.put(key, rank)
    assert ordered.until(2, limit=2) == ordered.until(2, limit=2) == [(0, "a"), (1, "b")]
    assert [key for _, key in ordered.until(2, limit=9)] == ["a", "b", "c"]
    assert len(ordered) == 4


@given(CHANGES)
def test_whatever_was_put_moved_and_dropped_the_ranks_are_in_order(
    changes: list[tuple[str, int | None]],
) -> None:
    ordered: Ordered[str] = Ordered()
    truth: dict[str, int] = {}
    for key, rank in changes:
        if rank is None:
            assert ordered.drop(key) is (truth.pop(key, None) is not None)
        else:
            ordered.put(key, rank)
            truth[key] = rank
    found = ordered.until(5, limit=99)
    assert {key: rank for rank, key in found} == truth
    assert [rank for rank, _ in found] == sorted(truth.values())
    first = ordered.first()
    assert (first and first[0]) == min(truth.values(), default=None)


def test_moving_keys_for_ever_takes_no_more_room_for_ever() -> None:
    ordered: Ordered[int] = Ordered()
    chance = random.Random(1)
    for turn in range(10_000):
        ordered.put(turn % 10, chance.randrange(1_000))
    assert len(ordered._heap) < 200
    assert [key for _, key in ordered.until(1_000, limit=99)] == sorted(
        ordered.ranks, key=lambda key: ordered.ranks[key]
    )


def test_keys_that_rest_keep_their_newest_rank_while_others_move() -> None:
    ordered: Ordered[int] = Ordered()
    for rank in (1, 500):
        for key in range(10):
            ordered.put(key, rank + key)
    for rank in range(300):
        ordered.put(99, rank)
    assert ordered.until(1_000, limit=99) == [(299, 99), *((500 + key, key) for key in range(10))]


def test_an_inbox_is_read_behind_any_position_even_a_deleted_one() -> None:
    inbox = Inbox()
    for number in range(1, 6):
        inbox.append(number, "p00-x", b"%d" % number)
    for gone in ("1", "3"):
        assert inbox.pop(gone) is not None
        assert inbox.pop(gone) is None
    read = {
        after: [found.position for found in inbox.after(after)] for after in ("", "1", "3", "5")
    }
    assert read == {"": [2, 4, 5], "1": [2, 4, 5], "3": [4, 5], "5": []}

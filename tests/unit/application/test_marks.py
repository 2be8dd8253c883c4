"""Losses are noticed by counters that go back."""

from __future__ import annotations

from stagewright.application.marks import Marks
from stagewright.ports.message_bus import PartitionMark


def mark(commits: int, incarnation: str = "a") -> PartitionMark:
    return PartitionMark(incarnation, commits)


def test_counters_that_rise_or_stand_still_are_no_loss() -> None:
    marks = Marks()
    assert marks.losses({0: mark(5), 1: mark(0)}) == {}
    assert marks.losses({0: mark(5), 1: mark(9)}) == {}


def test_a_counter_that_goes_back_is_a_loss_of_its_partition() -> None:
    marks = Marks()
    marks.losses({0: mark(5), 1: mark(5)})
    assert marks.losses({0: mark(3), 1: mark(6)}) == {0: "partition 0: 2 commits lost (3 after 5)"}


def test_another_incarnation_is_a_loss() -> None:
    marks = Marks()
    marks.losses({0: mark(5)})
    found = marks.losses({0: mark(9, "b")})
    assert list(found) == [0]
    assert found[0].startswith("partition 0: incarnation b in place of a, whose last commits")
    assert found[0].endswith("(9 after 5)")


def test_another_incarnation_than_the_owner_before_has_seen_is_a_loss() -> None:
    marks = Marks()
    marks.expect(0, "a")
    marks.expect(1, "a")
    assert list(marks.losses({0: mark(9, "a"), 1: mark(9, "b")})) == [1]


def test_a_loss_is_told_once() -> None:
    marks = Marks()
    marks.losses({0: mark(5)})
    marks.losses({0: mark(3)})
    assert marks.losses({0: mark(3)}) == {}

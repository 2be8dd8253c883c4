from __future__ import annotations

from stagewright.adapters.redis.marks import Marks
from stagewright.adapters.redis.watch import Watch
from stagewright.ports.message_bus import PartitionMark


def test_everything_is_looked_at_first() -> None:
    assert Watch(3).to_look_at(range(3), 1_000) == [0, 1, 2]


def test_a_partition_with_nothing_due_is_left_alone_for_a_second() -> None:
    watch = Watch(2)
    watch.looked(0, 1_000, None)
    assert watch.to_look_at([0, 1], 1_999) == [1]
    assert watch.to_look_at([0, 1], 2_000) == [0, 1]


def test_what_falls_due_earlier_is_looked_at_then() -> None:
    watch = Watch(1)
    watch.looked(0, 1_000, 1_200)
    assert watch.next_look_ms([0]) == 1_200
    watch.falls_due(0, 1_100)
    watch.falls_due(0, 5_000)
    assert watch.next_look_ms([0]) == 1_100


def test_what_is_far_away_does_not_keep_others_waiting() -> None:
    watch = Watch(1)
    watch.looked(0, 1_000, 99_000)
    assert watch.next_look_ms([0]) == 2_000


def mark(commits: int) -> PartitionMark:
    return PartitionMark("i", commits)


def test_an_answer_that_was_overtaken_is_no_loss() -> None:
    marks = Marks()
    early, late = marks.ask(), marks.ask()
    marks.answer(0, late, mark(9))
    marks.answer(0, early, mark(8))
    assert marks.of(0) == mark(9)


def test_a_counter_that_went_back_is_told() -> None:
    marks = Marks()
    marks.answer(0, marks.ask(), mark(9))
    marks.answer(0, marks.ask(), mark(8))
    assert marks.of(0) == mark(8)

from __future__ import annotations

import pytest

from stagewright.adapters.redis.marks import Marks, Progress
from stagewright.adapters.redis.watch import Watch
from stagewright.ports.message_bus import PartitionMark


def test_everything_is_looked_at_first() -> None:
    assert Watch(3).to_look_at(range(3), 1_000) == [0, 1, 2]


def test_a_partition_with_nothing_due_is_left_alone_for_a_second() -> None:
    watch = Watch(2)
    watch.looked(0, 1_000, None, 0)
    assert watch.to_look_at([0, 1], 1_999) == [1]
    assert watch.to_look_at([0, 1], 2_000) == [0, 1]


def test_what_falls_due_earlier_is_looked_at_then() -> None:
    watch = Watch(1)
    watch.looked(0, 1_000, 1_200, 0)
    assert watch.next_look_ms([0]) == 1_200
    watch.falls_due(0, 1_100)
    watch.falls_due(0, 5_000)
    assert watch.next_look_ms([0]) == 1_100


def test_what_is_far_away_does_not_keep_others_waiting() -> None:
    watch = Watch(1)
    watch.looked(0, 1_000, 99_000, 0)
    assert watch.next_look_ms([0]) == 2_000


def test_where_nothing_moves_looks_become_rare_and_something_makes_them_frequent() -> None:
    watch, now_ms, pauses = Watch(1), 0, []
    for _ in range(6):
        watch.looked(0, now_ms, None, 7)
        pauses.append(watch.next_look_ms([0]) - now_ms)
        now_ms = watch.next_look_ms([0])
    assert pauses == [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
    watch.looked(0, now_ms, None, 8)
    assert watch.next_look_ms([0]) == now_ms + 1_000


def test_who_never_looks_does_not_watch() -> None:
    watch = Watch(2)
    watch.looked(0, 50_000, None, 0)
    watch.falls_due(1, 51_000)
    assert [watch.watches(number, 50_500) for number in (0, 1)] == [True, False]


async def test_who_waits_is_told_of_what_falls_due_earlier() -> None:
    watch = Watch(1)
    watch.looked(0, 1_000, 1_500, 0)
    waiting = watch.sooner()
    watch.falls_due(0, 1_600)
    assert not waiting.done()
    watch.falls_due(0, 1_400)
    assert waiting.done()
    watch.forget(waiting)


def progress(commits: int, history: str = "h", begun: int = 0) -> Progress:
    return Progress(PartitionMark("i", commits), history, begun)


def test_an_answer_that_was_overtaken_is_no_loss() -> None:
    marks = Marks()
    early, late = marks.ask(), marks.ask()
    marks.answer(0, late, progress(9))
    assert marks.lost_by(0, early, progress(8)) is None
    marks.answer(0, early, progress(8))
    assert marks.of(0) == progress(9).mark


def test_a_counter_that_went_back_is_told() -> None:
    marks = Marks()
    marks.answer(0, marks.ask(), progress(9))
    asked = marks.ask()
    assert marks.lost_by(0, asked, progress(8)) == progress(9)
    marks.answer(0, asked, progress(8))
    assert marks.of(0) == progress(8).mark


@pytest.mark.parametrize(("begun", "lost"), [(9, False), (8, True)])
def test_a_counter_that_went_back_and_has_overtaken_itself_since_is_told(
    begun: int, lost: bool
) -> None:
    marks = Marks()
    marks.answer(0, marks.ask(), progress(9, "before"))
    assert (marks.lost_by(0, marks.ask(), progress(12, "after", begun)) is not None) is lost


def test_another_incarnation_has_its_own_count() -> None:
    marks = Marks()
    marks.answer(0, marks.ask(), progress(9))
    other = Progress(PartitionMark("j", 3), "h", 0)
    assert marks.lost_by(0, marks.ask(), other) is None

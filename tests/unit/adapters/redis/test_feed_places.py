from __future__ import annotations

from typing import Any

import pytest

from stagewright.adapters.redis.feed import Place, _parse, _rows, _spell
from stagewright.domain.errors import CursorInvalid

ENTRY: Any = (b"7-1", [b"step:p00-a", b"1", b"note:p00-a", b"2", b"step:p00-b", b"3"])


def bodies(places: list[Place], *replies: Any) -> list[bytes]:
    return [row[-1] for row in _rows(places, dict(enumerate(replies)))]


def test_the_records_of_an_entry_are_told_one_by_one() -> None:
    (first, second, third) = _rows([Place(0, 0)], {0: [ENTRY]})
    assert first == (Place(7, 1, 1), 0, False, "step", "p00-a", b"1")
    assert second == (Place(7, 1, 2), 0, False, "note", "p00-a", b"2")
    assert third == (Place(7, 1, 3), 0, True, "step", "p00-b", b"3")


def test_an_entry_that_was_read_in_part_goes_on_where_it_was_left() -> None:
    assert bodies([Place(7, 1, 2)], [ENTRY]) == [b"3"]
    assert bodies([Place(7, 0, 2)], [ENTRY]) == [b"1", b"2", b"3"]


def test_a_cursor_is_read_as_it_was_spelt() -> None:
    places = [Place(0, 0), Place(1_750_000_000_000, 3), Place(5, 0, 12)]
    cursor = _spell(["a1", "b2", ""], places)
    assert _parse(cursor, 3) == list(zip(["a1", "b2", ""], places, strict=True))


@pytest.mark.parametrize("cursor", ["", "a~1", "a~1-0~x", "a~1-0.", "g~1-0", "a~1-0~1~1", "a~-1-0"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        _parse(cursor, 1)


def test_a_cursor_of_another_number_of_partitions_is_refused() -> None:
    with pytest.raises(CursorInvalid):
        _parse("a~1-0", 2)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.application.feed_places import FeedPlace, LogPlace
from stagewright.domain.errors import CursorInvalid

hexes = st.text("0123456789abcdef", min_size=8, max_size=8)
log_places = st.builds(
    LogPlace,
    st.integers(0, 10**9 - 1),
    st.just("") | hexes,
    st.integers(0, 999_999),
    st.just("") | hexes.map(lambda text: text * 2),
    st.booleans(),
)


@given(log_places)
def test_a_place_in_a_log_is_read_as_it_was_spelled(place: LogPlace) -> None:
    assert LogPlace.parse(place.spell()) == place


@given(st.integers(1, 10**9 - 1), st.integers(1, 999_999))
def test_a_place_inside_of_a_step_is_read_as_it_was_spelled(step: int, part: int) -> None:
    place = FeedPlace("ab~1-2.cd~3-4~5", "p00-12", step, part)
    assert FeedPlace.parse(place.spell()) == place
    assert FeedPlace.parse("plain").spell() == "plain"


def test_a_step_that_was_told_in_part_is_not_complete() -> None:
    assert LogPlace(5).complete == 5
    assert LogPlace(5, part=2).complete == 4


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_is_refused(text: str) -> None:
    for read in (LogPlace.parse, FeedPlace.parse):
        try:
            place = read(text)
        except CursorInvalid:
            continue
        assert read(place.spell()) == place


@pytest.mark.parametrize("text", ["1.0", "1-XYZ", "1~ab", "1!END", "\u0661", "1\n"])
def test_what_looks_like_a_place_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        LogPlace.parse(text)

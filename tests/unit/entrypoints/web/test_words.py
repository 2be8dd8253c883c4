"""Times, sizes and numbers as people say them."""

from __future__ import annotations

import pytest

from stagewright.entrypoints.web import words

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_400, "1.4 s"),
        (12_400, "12 s"),
        (60_000, "1 min"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 5 min"),
        (86_400_000 * 12 + 3_600_000, "12 d"),
    ],
)
def test_a_duration_has_one_or_two_units(span_ms: int, text: str) -> None:
    assert words.duration(span_ms) == text


@pytest.mark.parametrize(
    ("apart_ms", "text"),
    [
        (9_999, "just now"),
        (-5, "in a moment"),
        (59_000, "59 s ago"),
        (61_000, "1 min ago"),
        (-7_200_000, "in 2 h"),
        (172_800_000, "2 d ago"),
    ],
)
def test_an_instant_is_told_by_how_far_away_it_is(apart_ms: int, text: str) -> None:
    assert words.ago(NOW_MS - apart_ms, NOW_MS) == text


def test_the_exact_instant_has_milliseconds_and_its_zone() -> None:
    assert words.exact(NOW_MS + 7) == "2023-11-14 22:13:20.007 UTC"
    assert words.iso(NOW_MS) == "2023-11-14T22:13:20.000Z"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (812, "812 B"), (1_434, "1.4 kB"), (3_355_443, "3.2 MB")]
)
def test_a_size_has_a_unit(count: int, text: str) -> None:
    assert words.size(count) == text


def test_counts_agree_in_number() -> None:
    assert words.count(1, "process", "processes") == "1 process"
    assert words.count(1_234, "stage") == "1\u2009234 stages"


def test_names_of_events_and_fields_become_words() -> None:
    assert words.title("STAGE_COMPLETE") == "Stage complete"
    assert words.title("maxItems") == "Max items"


def test_stored_bytes_that_are_no_json_are_shown_as_text() -> None:
    assert words.pretty_bytes(b'{"a":1}') == '{\n  "a": 1\n}'
    assert words.pretty_bytes(b"\xff{") == "\ufffd{"

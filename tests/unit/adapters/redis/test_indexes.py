from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagewright.adapters.redis.indexes import Found, members, merge, parse_cursor, search
from stagewright.domain.errors import CursorInvalid
from stagewright.ports.commit import IndexEntry
from stagewright.ports.workflow_store import Query

ID = "p01-" + "0" * 32

places = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([f"p00-{n}" for n in range(6)])), unique=True
)


def entry(**labels: str) -> IndexEntry:
    return IndexEntry("running", "d@1", "d", "k", labels, ("task",), 1, 1_000)


def test_a_member_is_a_term_a_time_and_a_workflow() -> None:
    assert members(ID, entry(team="red")) == [
        f"all\t0000000001000\t{ID}\tk\td",
        f"status:running\t0000000001000\t{ID}",
        f"definition:d@1\t0000000001000\t{ID}",
        f"label:team=red\t0000000001000\t{ID}",
        f"waiting:task\t0000000001000\t{ID}",
    ]


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "100%", "%09", "\x00", "ünï"])
def test_no_text_of_users_can_look_like_a_separator(value: str) -> None:
    found = members(ID, entry(text=value))
    assert all(member.count("\t") == 2 for member in found[1:])
    assert not any("\n" in member for member in found)
    assert len(set(members(ID, entry(text=value)) + members(ID, entry(text=value + "x")))) == 6


def test_the_rarest_filter_is_looked_through_and_the_others_are_checked() -> None:
    wanted = search(Query(status="failed", label=("a", "b"), waiting="task"))
    assert wanted.first == "[label:a=b\t"
    assert list(wanted.others) == ["waiting:task", "status:failed"]


def test_a_text_is_looked_for_in_all_rows() -> None:
    wanted = search(Query(text="or", status="failed"))
    assert (wanted.first, wanted.text) == ("[all\t", "or")
    assert list(wanted.others) == ["status:failed"]


def test_a_cursor_narrows_a_range_and_never_widens_it() -> None:
    late = search(Query(cursor=f"2000.{ID}", updated_before_ms=1_000))
    assert late.last == "(all\t0000000001000"
    early = search(Query(cursor=f"500.{ID}", updated_before_ms=1_000))
    assert early.last == f"(all\t0000000000500\t{ID}"
    ahead = search(Query(cursor=f"500.{ID}", updated_from_ms=900, oldest_first=True))
    assert ahead.first == "[all\t0000000000900"


@pytest.mark.parametrize("cursor", ["", "1", "1.", "x.p01-0", "1.p01-0 ", "1.2.3", "1.q01-0"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        parse_cursor(cursor)


@given(places, st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_pages_merged_from_partitions_hold_everything_once_in_order(
    rows: list[tuple[int, str]], budget: int, limit: int, backwards: bool
) -> None:
    parts = [rows[0::2], rows[1::2]]
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    for _ in range(100):
        after = None if cursor is None else parse_cursor(cursor)
        found = [_look(part, after, budget, backwards) for part in parts]
        page, cursor = merge(found, limit, backwards=backwards)
        seen += page
        if cursor is None:
            break
    assert seen == sorted(rows, reverse=backwards)


def _look(
    part: list[tuple[int, str]], after: tuple[int, str] | None, budget: int, backwards: bool
) -> Found:
    """Return what a partition answers that looks at `budget` rows behind a place."""
    ordered = sorted(part, reverse=backwards)
    if after is not None:
        ordered = [row for row in ordered if (row < after if backwards else row > after)]
    looked = ordered[:budget]
    return Found(looked, looked[-1] if len(ordered) > budget else None)

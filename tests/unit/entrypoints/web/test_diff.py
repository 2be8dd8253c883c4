"""What changed between two outputs."""

from __future__ import annotations

from stagewright.entrypoints.web.diff import MOST_LINES, diff_of


def test_changed_lines_stand_between_their_neighbours() -> None:
    found = diff_of("a\nb\nc\n", "a\nB\nc\nd\n")
    signs = [(line.sign, line.text, line.old, line.new) for line in found.lines]
    assert signs == [
        (" ", "a", 1, 1),
        ("-", "b", 2, None),
        ("+", "B", None, 2),
        (" ", "c", 3, 3),
        ("+", "d", None, 4),
    ]
    assert (found.added, found.removed) == (2, 1)


def test_what_is_far_from_a_change_is_left_out() -> None:
    old = [str(n) for n in range(100)]
    new = [*old[:50], "new", *old[50:]]
    lines = diff_of("\n".join(old), "\n".join(new)).lines
    assert (lines[0].sign, lines[0].text, len(lines)) == ("@", "line 48", 8)


def test_equal_texts_have_no_lines() -> None:
    assert diff_of("a", "a").lines == []


def test_texts_that_are_too_long_are_compared_in_part() -> None:
    assert diff_of("x\n" * (MOST_LINES + 1), "x\n").cut

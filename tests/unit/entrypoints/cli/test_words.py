from __future__ import annotations

import io

import pytest

from stagewright.entrypoints.cli.words import ago, duration, mark, stage_status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (90, "2 min"),
        (5_400, "1.5 h"),
        (86_400 * 8, "8.0 d"),
        (86_400 * 12, "12 d"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_instants_are_told_from_now() -> None:
    assert ago(1_000, now_ms=4_000) == "3.0 s ago"
    assert ago(4_000, now_ms=1_000) == "in 3.0 s"
    assert ago(None) == ""


def test_a_terminal_without_unicode_gets_plain_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mark("completed") == "✓"
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert mark("completed") == "+"


def test_a_bad_end_of_a_stage_has_the_mark_of_a_failure() -> None:
    assert stage_status("ended", "ok") == "ended"
    assert stage_status("ended", "rework") == "ended"
    assert stage_status("ended", "timeout") == "failed"
    assert stage_status("active", None) == "active"

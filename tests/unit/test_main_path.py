"""The page that walks the main path names places that exist, where it says."""

from __future__ import annotations

import pytest

from tools.main_path import PAGE, PLACE, line_of, renewed


def test_every_place_on_the_main_path_is_where_the_page_says() -> None:
    text = PAGE.read_text()
    assert renewed(text) == text, "run `python tools/main_path.py`"


def test_the_page_names_the_loop_the_decision_and_the_commit_of_every_backend() -> None:
    named = {(found["path"], found["name"]) for found in PLACE.finditer(PAGE.read_text())}
    assert ("src/stagewright/application/consumer.py", "consume") in named
    assert ("src/stagewright/domain/decide.py", "decide") in named
    backends = {path.split("/")[3] for path, name in named if "/adapters/" in path}
    assert backends == {"memory", "sqlite", "redis"}


def test_a_place_that_moved_is_noticed() -> None:
    line = line_of("src/stagewright/domain/decide.py", "decide")
    text = f"`src/stagewright/domain/decide.py:{line + 1}` `decide`"
    assert renewed(text) == f"`src/stagewright/domain/decide.py:{line}` `decide`"


def test_a_function_that_is_gone_is_named() -> None:
    with pytest.raises(LookupError, match="defines no gone"):
        line_of("src/stagewright/domain/decide.py", "gone")

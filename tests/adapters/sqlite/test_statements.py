"""Every statement has a use, and none goes through a table where an index leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewright.adapters import sqlite
from stagewright.adapters.sqlite.connection import Session, connect, load_statements
from stagewright.adapters.sqlite.migrations import prepare
from stagewright.ports.backend import BackendOptions

FOLDER = Path(sqlite.__file__).parent
STATEMENTS = load_statements()
SCANS_ON_PURPOSE = {
    "count_by_status",
    "list_registered",
    "query_page",
    "query_reach",
    "select_depths",
    "select_last_positions",
    "select_partitions",
}
"""They answer for everything there is, run in the reading thread, or once."""
TEMPLATES = {"query_page", "query_reach", "query_source_text"}


def test_every_statement_is_used_and_every_name_exists() -> None:
    source = "".join(file.read_text("utf-8") for file in FOLDER.glob("*.py"))
    named = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', source))
    assert set(STATEMENTS) - named == set()
    called = re.findall(r'(?:rows?|change|change_many|statement)\(\s*"([a-z_]+)"', source)
    assert set(called) - set(STATEMENTS) == set()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path = tmp_path_factory.mktemp("plans") / "state.db"
    path.touch()
    opened = Session(connect(path, writable=True), STATEMENTS, str(path))
    prepare(opened, BackendOptions())
    yield opened
    opened.close()


def plan_of(session: Session, name: str) -> str:
    text = STATEMENTS[name]
    numbered = [1] * max(map(int, re.findall(r"\?(\d)", text)), default=0)
    values = {"text": "a", "looked_at": 1} if ":text" in text else numbered
    return "\n".join(row[-1] for row in session.rows_of(f"EXPLAIN QUERY PLAN {text}", values))


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - SCANS_ON_PURPOSE - TEMPLATES))
def test_a_statement_is_led_by_an_index(session: Session, name: str) -> None:
    plan = plan_of(session, name)
    assert not re.search(r"SCAN (?!CONSTANT|\(|json_each)", plan), plan
    assert "TEMP B-TREE" not in plan, plan

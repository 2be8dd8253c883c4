from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.entrypoints.cli.conftest import Cli


def test_every_value_says_where_it_comes_from(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("stagewright.toml").write_text("lease_s = 5\n")
    monkeypatch.setenv("STAGEWRIGHT_PORT", "4000")
    answer = cli("config", "show", "--url", "redis://:horse@host", "--json")
    rows = {row["name"]: (row["value"], row["source"]) for row in answer.json}
    assert rows["url"] == ("redis://:***@host", "flag")
    assert rows["port"] == (4000, "env STAGEWRIGHT_PORT")
    assert rows["lease_s"] == (5.0, str(Path("stagewright.toml").resolve()))
    assert rows["grace_s"] == (10.0, "default")


def test_the_table_has_a_row_for_each(cli: Cli) -> None:
    assert re.search(r"(?m)^retention_s +604800\.0", cli("config", "show").out)

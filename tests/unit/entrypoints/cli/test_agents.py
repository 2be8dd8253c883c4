from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.entrypoints.cli.conftest import Cli

MINE = """
from stagewright import agent

@agent("echo")
async def echo(value: int) -> int:
    return value
"""


def test_agents_of_a_backend_in_one_process_are_served_there(cli: Cli) -> None:
    answer = cli("agent", "run", "somewhere", "--url", "memory://")
    assert answer.code == 2
    assert "stagewright dev" in answer.err


@pytest.mark.parametrize("url", ["sqlite:///x.db", "http://127.0.0.1:1"])
def test_agents_of_a_file_need_its_owner(cli: Cli, tmp_path: Path, url: str) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    answer = cli("agent", "run", str(tmp_path / "mine.py"), "--url", url)
    assert answer.code == 6
    assert "stagewright serve" in answer.err


def test_a_module_that_is_not_there_is_told(cli: Cli) -> None:
    assert cli("agent", "run", "nowhere_at_all", "--url", "redis://host").code == 5

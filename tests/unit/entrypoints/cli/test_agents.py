from __future__ import annotations

import pytest

from tests.unit.entrypoints.cli.conftest import Cli


@pytest.mark.parametrize("url", ["sqlite:///x.db", "memory://", "http://127.0.0.1:1"])
def test_agents_of_a_backend_in_one_process_are_served_there(cli: Cli, url: str) -> None:
    answer = cli("agent", "run", "somewhere", "--url", url)
    assert answer.code == 2
    assert "stagewright dev" in answer.err


def test_a_module_that_is_not_there_is_told(cli: Cli) -> None:
    assert cli("agent", "run", "nowhere_at_all", "--url", "redis://host").code == 5

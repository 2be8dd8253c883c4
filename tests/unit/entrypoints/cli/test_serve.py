from __future__ import annotations

from tests.unit.entrypoints.cli.conftest import Cli


def test_memory_cannot_be_served(cli: Cli) -> None:
    answer = cli("serve", "--url", "memory://")
    assert answer.code == 2
    assert "ends with its process" in answer.err

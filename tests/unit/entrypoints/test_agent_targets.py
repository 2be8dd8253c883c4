from __future__ import annotations

from pathlib import Path

import pytest

from stagewright.domain.errors import LoadError, NotFound
from stagewright.entrypoints.agent_targets import agents_of

AGENTS = """
from stagewright.application.agents import agent

@agent("one")
async def one(x: int) -> int: return x

@agent("two")
async def two(x: int) -> int: return x
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "some_agents.py").write_text(AGENTS)
    return str(tmp_path / "some_agents.py")


def names(*targets: str) -> list[str]:
    return [agent.contract.name for agent in agents_of(targets)]


def test_a_module_means_all_its_agents(file: str) -> None:
    assert names(file) == ["one", "two"]


def test_a_name_means_one_of_them(file: str) -> None:
    assert names(f"{file}:two") == ["two"]
    assert names(f"{file}:two", f"{file}:one", f"{file}:two") == ["two", "one"]


def test_an_unknown_name_is_told_the_known_ones(file: str) -> None:
    with pytest.raises(NotFound, match=r"three.*one, two"):
        agents_of([f"{file}:three"])


def test_a_target_without_agents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("name: f\nstages: [{name: w, kind: wait, for_s: 1}]\n")
    with pytest.raises(LoadError, match="no agent"):
        agents_of([str(tmp_path / "flow.yaml")])

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.entrypoints.cli.conftest import Cli


def test_a_new_project_has_agent_workflow_test_and_toml(cli: Cli) -> None:
    answer = cli("new", "hello", "--json")
    assert answer.json["folder"] == "hello"
    assert {"hello/workflow.py", "hello/tests/test_workflow.py", "hello/stagewright.toml"} <= set(
        answer.json["files"]
    )
    assert all(Path(file).is_file() for file in answer.json["files"])


@pytest.mark.parametrize("name", ["hello", "order-intake", "class"])
def test_its_tests_pass(cli: Cli, name: str) -> None:
    assert cli("new", name).code == 0
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=name,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout


def test_its_settings_are_understood(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("new", "hello")
    monkeypatch.chdir("hello")
    rows = {row["name"]: row for row in cli("config", "show", "--json").json}
    assert rows["concurrency"]["source"].endswith("hello/stagewright.toml")
    assert rows["url"]["value"].endswith("hello/.stagewright/state.db")


@pytest.mark.parametrize("name", ["Hello", "9lives", "a b", "x/y", "-x"])
def test_a_name_that_no_workflow_can_have_is_refused(cli: Cli, name: str) -> None:
    assert cli("new", "--", name).code == 2
    assert not list(Path().iterdir())


def test_a_folder_with_something_in_it_is_left_alone(cli: Cli) -> None:
    Path("hello").mkdir()
    Path("hello/mine.txt").write_text("mine")
    assert cli("new", "hello").code == 4
    assert [path.name for path in Path("hello").iterdir()] == ["mine.txt"]

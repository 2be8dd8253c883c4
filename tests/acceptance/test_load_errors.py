"""Each mistake in a YAML definition is told with its stage and its remedy, and exit code 5."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from stagewright.entrypoints.cli import main

AGENTS = """
from stagewright import agent

@agent("count")
async def count(task: int) -> int: return task

@agent("write")
async def write(task: str) -> str: return task
"""
MISTAKES = {
    "unknown target": ("- {name: a, agent: x, on: {ok: nowhere}}", "a", "nowhere"),
    "unreachable stage": (
        "- {name: a, agent: x, on: {ok: complete}}\n- {name: b, agent: x, with: {from: input}}",
        "b",
        "reach",
    ),
    "outcome without a route": (
        "- {name: a, agent: x, rules: [{when: 'output == 1', outcome: odd}]}",
        "a",
        "odd",
    ),
    "loop without max_visits": (
        "- {name: a, agent: x, with: {from: input}}\n- {name: b, agent: x, on: {rework: a}}",
        "a",
        "max_visits",
    ),
    "neighbours that cannot fit": ("- {name: a, agent: count}\n- {name: b, agent: write}", "b", ""),
    "unknown name in a rule": (
        "- {name: a, agent: x, rules: [{when: 'outptu == 1', outcome: ok}]}",
        "a",
        "outptu",
    ),
    "duplicate names": (
        "- {name: a, agent: x}\n- {name: a, agent: x, with: {from: input}}",
        "a",
        "",
    ),
    "complete cannot be reached": ("- {name: a, agent: x, on: {ok: fail}}", None, "complete"),
    "unknown field": ("- {name: a, agent: x, retires: 3}", "a", "retires"),
    "unknown kind": ("- {name: a, kind: agnet}", "a", "agnet"),
}


def check(folder: Path, stages: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "load_error_agents.py").write_text(AGENTS)
    (folder / "flow.yaml").write_text(f"name: flow\nstages:\n{stages}\n")
    agents = str(folder / "load_error_agents.py")
    code = main(["definition", "check", str(folder / "flow.yaml"), "--agents", agents, "--json"])
    shown = capsys.readouterr()
    assert shown.out == ""
    return code, shown.err


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_stage_and_remedy(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages, stage, word = MISTAKES[mistake]
    code, said = check(tmp_path, stages, capsys)
    found = orjson.loads(said)["attributes"]["found"]
    assert code == 5
    assert stage in {problem["stage"] for problem in found}
    assert all(problem["remedy"] for problem in found)
    assert word in said


def test_a_definition_without_stages_says_what_to_start_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.yaml").write_text("name: flow\nstages: []\n")
    assert main(["definition", "check", str(tmp_path / "flow.yaml")]) == 5
    said = capsys.readouterr().err
    assert "stages" in said
    assert str(tmp_path / "flow.yaml") in said


def test_what_is_no_yaml_says_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = check(tmp_path, "- {name: a, agent: x", capsys)
    assert code == 5
    assert "flow.yaml, line" in said


def test_people_read_each_problem_on_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        "name: flow\nstages:\n- {name: a, agent: x, on: {ok: nowhere}}\n"
        "- {name: b, agent: x, with: {from: input}}\n"
    )
    assert main(["definition", "check", str(file)]) == 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: Definition flow: ")
    assert any(line.startswith("  - stage a: ") and "line 3" in line for line in lines[1:])

"""A new user's first minutes: `new`, `dev`, the start command that it prints, an edit, an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("STAGEWRIGHT_")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        shell=True,
        check=False,
        capture_output=True,
        text=True,
    )


@contextmanager
def dev(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `stagewright dev .`; yields the process and the start command it printed."""
    process = subprocess.Popen(
        ["stagewright", "dev", ".", *options],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Stop politely; returns what it said, after it ended with exit code 0."""
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return said


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert run("stagewright new hello", tmp_path).returncode == 0
    return tmp_path / "hello"


def test_the_start_command_that_dev_prints_works_on_the_first_try(project: Path) -> None:
    with dev(project) as (process, command):
        assert command.startswith("stagewright workflow start hello --input ")
        answer = run(command, project)
        assert (answer.returncode, orjson.loads(answer.stdout)) == (0, {"text": "Hello, Ada!"})
        assert run("stagewright doctor", project).returncode == 0
        said = stop(process, signal.SIGTERM)
    assert "workflows hello 1.0.0" in said
    assert "stage complete  greet ok" in said


def test_an_edit_is_in_force_without_a_restart(project: Path) -> None:
    file = project / "workflow.py"
    with dev(project) as (process, command):
        assert process.stderr is not None
        file.write_text(file.read_text().replace("Hello, ", "Hi, "))
        said = iter(process.stderr.readline, "")
        assert any("loaded again" in line for line in said)
        assert orjson.loads(run(command, project).stdout) == {"text": "Hi, Ada!"}
        file.write_text("nonsense(")
        assert any("last good load goes on" in line for line in said)
        assert orjson.loads(run(command, project).stdout) == {"text": "Hi, Ada!"}


def test_a_killed_dev_leaves_a_file_that_tells_why_a_workflow_waits(project: Path) -> None:
    slow = 'Workflow("hello", wait("nap", signal="wake"), stage(greet, with_=Workflow.input),'
    file = project / "workflow.py"
    text = file.read_text().replace('Workflow("hello", greet,', slow)
    file.write_text(text.replace("import AgentContext, ", "import AgentContext, stage, wait, "))
    with dev(project) as (process, command):
        started = run(command.replace(" --wait", " --key once"), project)
        workflow_id = started.stdout.strip()
        process.kill()
        process.wait()
        answer = run(f"stagewright workflow explain {workflow_id} --json", project)
        (reason,) = orjson.loads(answer.stdout)["waiting"]
        assert (reason["stage"], reason["kind"]) == ("nap", "signal")
    with dev(project):
        assert run(reason["remedy"], project).returncode == 0
        ended = run(f"stagewright workflow watch {workflow_id}", project)
        assert (ended.returncode, ended.stdout.count("✓ hello completed")) == (0, 1)
        again = run(command.replace(" --wait", " --key once"), project)
        assert again.stdout.strip() == workflow_id


def test_a_second_dev_on_the_same_file_is_told_who_has_it(project: Path) -> None:
    with dev(project) as (process, _):
        answer = run("stagewright dev .", project)
        assert answer.returncode == 4
        assert f"owned by process {process.pid}" in answer.stderr

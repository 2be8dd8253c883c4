from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stagewright.application.agents import agent
from stagewright.application.loading import Loaded
from stagewright.domain.builder import Workflow
from stagewright.domain.errors import LoadError
from stagewright.entrypoints.activity import Happening
from stagewright.entrypoints.cli.dev_text import Told, _line
from stagewright.entrypoints.development import Generation
from stagewright.entrypoints.hosting import OpenDoor
from stagewright.entrypoints.settings import Settings
from stagewright.ports.views import DefinitionView


@agent("greet")
async def greet(name: dict[str, int]) -> str:
    return str(name)


VIEW = DefinitionView(name="hello", version="1.0.0", hash="ab", registered_at_ms=1)
SCHEMA = {"type": "object", "required": ["it's"], "properties": {"it's": {"const": 1}}}
LOADED = Loaded((Workflow("hello", greet, input=SCHEMA).definition,), (greet,), {}, frozenset())
GENERATION = Generation(LOADED, [VIEW])
DOOR = OpenDoor("http://127.0.0.1:4000", "sesame")


def told(url: str, *, needs_url: bool = True, as_json: bool = False) -> Told:
    return Told(Settings(url=url), needs_url=needs_url, as_json=as_json)


def begin(told: Told, door: OpenDoor | None = None) -> None:
    backend: Any = SimpleNamespace(url="shown://")
    told.begun(backend, door, GENERATION)


COMMAND = """stagewright workflow start hello --input '{"it'"'"'s":1}' --wait"""


@pytest.mark.parametrize(
    ("url", "needs_url", "option"),
    [
        ("sqlite:////a/b.db", False, ""),
        ("sqlite:////a b.db", True, " --url 'sqlite:////a b.db'"),
        ("redis://ann:horse@host", True, ' --url "$STAGEWRIGHT_URL"'),
        ("memory://", True, ""),
    ],
)
def test_the_start_command_can_be_pasted_and_tells_no_password(
    capsys: pytest.CaptureFixture[str], url: str, needs_url: bool, option: str
) -> None:
    begin(told(url, needs_url=needs_url))
    shown = capsys.readouterr()
    assert shown.out == COMMAND + option + "\n"
    assert "workflows hello 1.0.0" in shown.err
    assert "agents    greet 1.0.0" in shown.err
    assert "horse" not in shown.out + shown.err


def test_memory_says_how_another_terminal_comes_in(capsys: pytest.CaptureFixture[str]) -> None:
    begin(told("memory://"), DOOR)
    line = "export STAGEWRIGHT_URL=http://127.0.0.1:4000 STAGEWRIGHT_TOKEN=sesame"
    assert line in capsys.readouterr().err


def test_the_token_of_a_file_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    begin(told("sqlite:////a/b.db"), DOOR)
    shown = capsys.readouterr()
    assert "http://127.0.0.1:4000" in shown.err
    assert "sesame" not in shown.out + shown.err


def test_with_json_programs_get_one_line_for_each_workflow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    begin(told("memory://", as_json=True))
    line = capsys.readouterr().out
    assert '"workflow":"hello"' in line
    assert '"ready":true' in line


def test_edits_that_work_and_that_do_not_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    teller = told("memory://")
    teller.reloaded(GENERATION)
    teller.failed(LoadError("hello.py", "no", remedy="Mend it."))
    said = capsys.readouterr().err
    assert said.startswith("loaded again\n")
    assert "error: hello.py: no" in said
    assert said.endswith("  the last good load goes on\n")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "WORKFLOW_CREATED"}, "● w1  created"),
        ({"type": "STAGE_COMPLETE", "stage": "a", "outcome": "ok"}, "✓ w1  stage complete  a ok"),
        (
            {"type": "STAGE_COMPLETE", "stage": "a", "outcome": "invalid"},
            "! w1  stage complete  a invalid",
        ),
        (
            {"type": "WORKFLOW_FAILED", "stage": "a", "reason": "a ended as invalid"},
            "✗ w1  failed          a ended as invalid",
        ),
        (
            {"type": "WORKFLOW_FAILED", "stage": "a", "reason": "deadline passed"},
            "✗ w1  failed          a deadline passed",
        ),
        (
            {
                "type": "VALIDATION_FAILED",
                "stage": "a",
                "errors": [{"path": "n", "message": "no number"}],
            },
            "! w1  validation failed a n: no number",
        ),
        ({"type": "TASK_ASSIGNED", "stage": "a"}, None),
    ],
)
def test_an_event_is_told_in_a_line_without_saying_anything_twice(
    event: dict[str, Any], said: str | None
) -> None:
    line = _line(Happening("w1", 0, event))
    assert line is None if said is None else str(line).endswith(f" {said}")

"""Exit codes, errors, and what `--help` may cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stagewright.domain import errors as e
from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import ID, FakeControl

HEAVY = {
    "fastapi", "redis", "apsw", "statemachine", "pydantic", "httpx2", "structlog", "orjson",
    "dependency_injector", "uvicorn", "cel", "watchfiles",
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (e.WorkflowFailed(ID, "failed"), 1),
        (e.UsageError("what"), 2),
        (e.NotFound("workflow", ID), 3),
        (e.AlreadyDecided("decided by bob"), 4),
        (e.ValidationFailed("no"), 5),
        (e.Unreachable("Redis"), 6),
        (e.TimedOut("waiting"), 7),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_ends_with_its_exit_code(
    cli: Cli, control: FakeControl, error: e.StagewrightError, code: int
) -> None:
    control.refusal = error
    answer = cli("workflow", "show", ID)
    assert (answer.code, answer.out) == (code, "")
    assert error.message in answer.err


def test_an_error_says_each_problem_on_a_line_and_what_to_do(
    cli: Cli, control: FakeControl
) -> None:
    control.refusal = e.ValidationFailed("No.", problems=["a: bad", "b: bad"], remedy="Mend it.")
    lines = cli("workflow", "show", ID).err.splitlines()
    assert lines == ["error: No", "  - a: bad", "  - b: bad", "  → Mend it."]


def test_with_json_an_error_is_a_problem_document(cli: Cli, control: FakeControl) -> None:
    import orjson  # noqa: PLC0415 - beside its one use

    control.refusal = e.NotFound("workflow", ID)
    document = orjson.loads(cli("workflow", "show", ID, "--json").err)
    assert (document["type"], document["exit_code"]) == ("urn:stagewright:error:not-found", 3)


@pytest.mark.parametrize(
    "wrong", [["explode"], ["workflow", "show"], ["workflow", "list", "--limit", "x"], []]
)
def test_what_cannot_be_understood_is_a_usage_error(cli: Cli, wrong: list[str]) -> None:
    answer = cli(*wrong)
    assert answer.code == 2
    assert "Usage" in answer.err + answer.out


def test_a_setting_that_cannot_be_used_is_a_usage_error(cli: Cli) -> None:
    assert cli("serve", "--log-level", "loud").code == 2


def test_an_interrupted_command_ends_as_interrupted(
    cli: Cli, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(control, "show", interrupted)
    assert cli("workflow", "show", ID).code == 130


def test_the_version_can_be_asked_for(cli: Cli) -> None:
    answer = cli("--version")
    assert (answer.code, answer.out.count(".")) == (0, 2)


@pytest.mark.parametrize("words", [["--help"], ["workflow", "--help"], ["dev", "--help"]])
def test_help_imports_nothing_that_it_does_not_need(words: list[str]) -> None:
    code = (
        "import sys; from stagewright.entrypoints.cli import main; main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True
    )
    assert "Usage" in run.stdout
    assert not HEAVY & {name.partition(".")[0] for name in run.stderr.split()}

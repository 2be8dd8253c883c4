"""Keys and the audit as a terminal gives them, over a real file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stagewright.domain.errors import UsageError
from stagewright.entrypoints.cli import main
from stagewright.entrypoints.cli.keys import seconds
from tests.unit.entrypoints.cli.conftest import Answer

Cli = Callable[..., Answer]


@pytest.fixture
def real(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Cli:
    """Run a command in an empty folder with a file of its own, as the user `ann`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Answer:
        code = main(arguments)
        shown = capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    return run


def test_a_key_is_shown_once_and_nothing_else_on_standard_output(real: Cli) -> None:
    made = real("key", "create", "ci", "--scope", "start", "--agent", "build", "--expires", "30d")
    assert made.code == 0
    assert made.out.startswith("sw_")
    assert len(made.out.splitlines()) == 1
    assert "start, agent:build" in made.err
    listed = real("key", "list")
    assert made.out.strip() not in listed.out
    assert "30 d left" in listed.out


def test_a_key_is_revoked_by_its_id(real: Cli) -> None:
    made = real("key", "create", "ci", "--scope", "read", "--group", "editors", "--json").json
    assert made["groups"] == ["editors"]
    assert real("key", "revoke", made["key_id"], "--json").json["revoked"] is True
    assert "revoked" in real("key", "list").out
    assert real("key", "revoke", "unknown").code == 3


def test_the_audit_tells_who_did_what(real: Cli) -> None:
    assert real("audit").out == ""
    key_id = real("key", "create", "ci", "--scope", "read", "--json").json["key_id"]
    real("key", "revoke", key_id)
    lines = real("audit").out.splitlines()
    assert lines[0].split() == ["WHEN", "WHO", "WHAT", "TARGET", "OUTCOME", "CHANGE"]
    assert all(" ann " in line and " done " in line for line in lines[1:])
    assert "key.revoke" in lines[1]
    page = real("audit", "--actor", "ann", "--limit", "1", "--json").json
    assert page["entries"][0]["door"] == "cli"
    rest = real("audit", "--cursor", page["cursor"], "--json").json
    assert [entry["action"] for entry in rest["entries"]] == ["key.create"]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("ci",), 5, "at least one scope"),
        (("ci", "--scope", "root"), 5, "scopes"),
        (("ci", "--scope", "read", "--expires", "soon"), 2, "12h, 30d"),
        (("c i\n", "--scope", "read"), 5, "name"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    real: Cli, arguments: tuple[str, ...], code: int, why: str
) -> None:
    answer = real("key", "create", *arguments)
    assert (answer.code, why in answer.err) == (code, True)


def test_durations_have_a_unit() -> None:
    assert [seconds(text) for text in ("90s", "2m", "12h", "30d", "1w")] == [
        90,
        120,
        43_200,
        2_592_000,
        604_800,
    ]
    with pytest.raises(UsageError):
        seconds("30")

"""Commands as a terminal gives them, with a control that only pretends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from stagewright.entrypoints.cli import calls, main
from stagewright.entrypoints.client.stagewright import Stagewright
from tests.unit.entrypoints.fakes import FakeControl, fake_connection


@dataclass
class Answer:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    connection = fake_connection(control)
    monkeypatch.setattr(
        calls, "open_client", lambda _: Stagewright.over(lambda: nullcontext(connection))
    )
    return control


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    control: FakeControl,
) -> Cli:
    """Run a command in an empty folder, as the user `ann`."""
    del control
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Answer:
        code = main(arguments)
        shown = capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    return run

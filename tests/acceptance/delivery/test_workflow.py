"""The workflow of the example: one definition in two spellings, and its command line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from examples.delivery import __main__ as command_line
from examples.delivery.report import show
from examples.delivery.workflow import delivery
from stagewright.application.loading import load
from tests.acceptance.delivery.driver import Delivery, shipped

SPELLED_IN_YAML = Path(__file__).with_name("delivery.yaml")


def test_the_workflow_is_the_same_in_yaml() -> None:
    (spelled,) = load([str(SPELLED_IN_YAML)], contracts=delivery.contracts).definitions
    written = delivery.definition.model_copy(update={"input": None})
    assert spelled == written


def test_rework_goes_back_to_scaffolding_from_both_reviewers() -> None:
    back = {each.name: each.on for each in delivery.definition.stages if each.on}
    assert back == {"validation": {"rework": "scaffolding"}, "e2e": {"rework": "scaffolding"}}


def test_the_folder_holds_one_workflow_and_six_agents() -> None:
    loaded = load(["examples/delivery"], folder=Path(__file__).parents[3])
    assert [each.name for each in loaded.definitions] == ["delivery"]
    assert len(loaded.agents) == 6


def test_the_report_shows_rounds_outcomes_and_the_address() -> None:
    console = Console(width=120, file=(printed := StringIO()))
    rows = [
        {"stage": "validation", "outcome": "rework", "duration_s": 1.26, "note": "coverage"},
        {"stage": "validation", "round": 2, "outcome": "ok", "artifacts": ["validation.json"]},
    ]
    show(console, "todo", rows, status="completed", address="http://127.0.0.1:1")
    text = printed.getvalue()
    for part in ("rework", "1.3", "2", "validation.json", "completed", "http://127.0.0.1:1"):
        assert part in text


@pytest.mark.usefixtures("home")
async def test_stop_ends_every_deployed_service_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    built = Delivery(shipped("hello-world"))
    await built.initialize()
    deployed = await built.deploy((await built.scaffold()).commit)
    assert command_line.main(["stop"]) == 0
    assert capsys.readouterr().out == f"hello_world at {deployed.address} has ended\n"
    command_line.main(["stop"])
    assert capsys.readouterr().out == "no deployed service is running\n"

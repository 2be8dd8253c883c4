from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import FakeControl

GOOD = """
name: release
stages:
  - {name: plan, agent: plan@^1}
  - {name: gate, kind: approval, approvers: [ops]}
"""
BAD = """
name: release
stages:
  - {name: plan, agent: plan@^1, on: {rework: nowhere}}
"""
AGENTS = """
from stagewright.application.agents import agent

@agent("plan")
async def plan(task: dict) -> dict: return task
"""


@pytest.fixture(autouse=True)
def _files(cli: Cli) -> None:
    del cli  # the folder is its
    Path("release.yaml").write_text(GOOD)
    Path("bad.yaml").write_text(BAD)
    Path("plan_agents.py").write_text(AGENTS)


def test_a_good_definition_is_ticked_and_says_what_was_not_checked(cli: Cli) -> None:
    answer = cli("definition", "check", "release.yaml")
    assert answer.code == 0
    assert answer.out.startswith("✓ release 1.0.0  2 stages  release.yaml")
    assert "contracts not checked: plan" in answer.err


def test_contracts_come_from_the_agents_that_are_named(cli: Cli) -> None:
    answer = cli("definition", "check", "release.yaml", "--agents", "plan_agents", "--json")
    assert answer.json[0]["contracts_not_checked"] == []


def test_a_bad_definition_names_stage_and_remedy(cli: Cli) -> None:
    answer = cli("definition", "check", "bad.yaml")
    assert (answer.code, answer.out) == (5, "")
    assert "stage plan" in answer.err
    assert "nowhere" in answer.err


def test_agents_alone_are_no_definition(cli: Cli) -> None:
    assert cli("definition", "check", "plan_agents.py").code == 5


def test_a_definition_is_shown_as_json_and_as_a_chart(cli: Cli) -> None:
    assert cli("definition", "show", "release.yaml", "--json").json["name"] == "release"
    assert '"approvers"' in cli("definition", "show", "release.yaml").out
    assert "plan_ --> gate_" in cli("definition", "show", "release.yaml", "--mermaid").out


def test_a_name_is_asked_for_where_definitions_are_registered(
    cli: Cli, control: FakeControl
) -> None:
    assert cli("definition", "show", "release@1.0.0", "--json").json["version"] == "1.0.0"
    assert control.calls == [("definition", "release@1.0.0")]


def test_registering_sends_contracts_along(cli: Cli, control: FakeControl) -> None:
    answer = cli("definition", "register", "release.yaml", "--agents", "plan_agents", "--dev")
    assert answer.code == 0
    ((_, request),) = control.calls
    assert (request.definition["name"], request.development) == ("release", True)
    assert [contract["name"] for contract in request.contracts] == ["plan"]


def test_registered_definitions_are_listed(cli: Cli) -> None:
    assert "release  1.0.0    abababababab" in cli("definition", "list").out
    assert cli("definition", "list", "release", "--json").json[0]["name"] == "release"

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import ID, FakeControl, letter


@pytest.fixture(autouse=True)
def _letters(control: FakeControl) -> None:
    control.letters = {"p01-7": letter(), "p01-8": letter("p01-8", b"\xff\xfe")}


def test_a_list_shows_reasons(cli: Cli) -> None:
    lines = cli("dead-letter", "list").out.splitlines()
    assert lines[1].startswith(f"p01-7   {ID}")
    assert lines[1].rstrip().endswith("9      not JSON")


def test_a_list_of_one_workflow_asks_for_it(cli: Cli, control: FakeControl) -> None:
    assert len(cli("dead-letter", "list", "--workflow", ID, "--limit", "1", "--json").json) == 1
    assert control.calls == [("letters", (ID, None, 1))]


def test_without_letters_nothing_is_printed_as_data(cli: Cli, control: FakeControl) -> None:
    control.letters = {}
    assert cli("dead-letter", "list").out == ""


def test_a_letter_is_shown_with_its_body(cli: Cli) -> None:
    out = cli("dead-letter", "show", "p01-7").out
    assert "not JSON" in out
    assert '{"broken"' in out
    assert cli("dead-letter", "show", "p01-8", "--json").json["body_base64"] == "//4="


def test_the_body_alone_can_be_printed_edited_and_redriven(cli: Cli, control: FakeControl) -> None:
    body = cli("dead-letter", "show", "p01-7", "--body").out
    Path("edited.json").write_text(body + ": 1}")
    assert cli("dead-letter", "redrive", "p01-7", "--body", "edited.json").code == 0
    assert control.calls[-1] == ("redrive", ("p01-7", b'{"broken": 1}'))


def test_a_letter_is_discarded_once(cli: Cli) -> None:
    assert cli("dead-letter", "discard", "p01-7", "--json").json["done"] == "discarded"
    assert cli("dead-letter", "discard", "p01-7").code == 3
    assert cli("dead-letter", "show", "p01-7").code == 3

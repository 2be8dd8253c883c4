"""Commands about many workflows: filters, counts, bulk actions, approvals, groups of letters."""

from __future__ import annotations

import pytest

from stagewright.ports.bulk import BulkFilter
from stagewright.ports.details import ApprovalQuery
from stagewright.ports.workflow_store import Query
from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import ID, FakeControl, letter


def test_filters_may_be_repeated_and_name_times(cli: Cli, control: FakeControl) -> None:
    given = ["--status", "failed", "--status", "waiting", "--label", "a=b", "--label", "c=d"]
    times = ["--since", "1970-01-01T00:00:01Z", "--before", "1970-01-02"]
    assert cli("workflow", "list", *given, *times, "--limit", "5").code == 0
    (_, query) = control.calls[0]
    assert query == Query(
        status=("failed", "waiting"),
        label=(("a", "b"), ("c", "d")),
        updated_from_ms=1_000,
        updated_before_ms=86_400_000,
        limit=5,
    )


def test_a_time_that_is_none_says_how_to_write_one(cli: Cli) -> None:
    answer = cli("workflow", "list", "--since", "yesterday")
    assert answer.code == 2
    assert "2030-01-31T12:00:00Z" in answer.err


def test_workflows_are_counted(cli: Cli, control: FakeControl) -> None:
    assert cli("workflow", "list", "--text", "p", "--count").out == "1\n"
    assert cli("workflow", "list", "--count", "--json").json == {"count": 1, "exact": True}
    assert control.calls[0][1][0] == Query(text="p")


def test_a_bulk_action_waits_for_its_end_and_names_refusals(cli: Cli, control: FakeControl) -> None:
    given = ["--definition", "release", "--status", "running", "--reason", "enough", "--key", "k"]
    answer = cli("workflow", "bulk", "cancel", *given)
    assert answer.code == 0
    assert "1 changed, 1 refused" in answer.err
    assert "p00-9" in answer.out
    request = control.calls[0][1]
    wanted = BulkFilter.model_validate({"definition": "release", "status": ["running"]})
    assert (request.action, request.filter, request.by) == ("cancel", wanted, "ann")
    assert (request.reason, request.key) == ("enough", "k")


def test_a_dry_run_shows_which_and_asks_no_more(cli: Cli, control: FakeControl) -> None:
    control.endings = []
    answer = cli("workflow", "bulk", "pause", ID, "p00-9", "--dry-run", "--json")
    assert answer.json["job_id"] is None
    assert [what for what, _ in control.calls] == ["begin"]
    assert control.calls[0][1].ids == (ID, "p00-9")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["cancel"], "everything"), (["signal", ID], "name"), (["cancel", "--label", "x"], "KEY")],
)
def test_a_bulk_action_that_says_too_little_is_refused(
    cli: Cli, arguments: list[str], told: str
) -> None:
    answer = cli("workflow", "bulk", *arguments)
    assert answer.code in {2, 5}
    assert told in answer.err


def test_approvals_are_listed_for_a_person(cli: Cli, control: FakeControl) -> None:
    answer = cli("approvals", "--for", "bob", "--group", "ops")
    assert "2 of ann, group:ops" in answer.out
    assert control.calls == [("approvals", ApprovalQuery(None, "bob", ("ops",)))]
    assert cli("approvals", "--json").json["approvals"][0]["stage"] == "gate"


def test_letters_are_listed_by_cause(cli: Cli) -> None:
    assert "not JSON" in cli("dead-letter", "list", "--group").out
    assert cli("dead-letter", "list", "--group", "--json").json["groups"][0]["count"] == 2


def test_a_discarded_letter_says_why(cli: Cli, control: FakeControl) -> None:
    control.letters = {"p01-7": letter()}
    cli("dead-letter", "discard", "p01-7", "--reason", "a stray copy")
    assert control.calls[-1] == ("discard", ("p01-7", "ann", "a stray copy"))


def test_a_workflow_is_named_at_its_start(cli: Cli, control: FakeControl) -> None:
    cli("workflow", "start", "release", "--name", "Release 7", "--description", "the big one")
    request = control.calls[0][1]
    assert (request.name, request.description) == ("Release 7", "the big one")

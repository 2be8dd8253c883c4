from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from stagewright.ports.views import ReplayReport, StageView
from tests.unit.entrypoints.cli.conftest import Cli
from tests.unit.entrypoints.fakes import ID, FakeControl, view


def asked(control: FakeControl, what: str) -> Any:
    return next(given for name, given in control.calls if name.startswith(what))


# --- start --------------------------------------------------------------------------------------


def test_a_start_prints_the_id_and_nothing_else(cli: Cli, control: FakeControl) -> None:
    answer = cli("workflow", "start", "release", "--input", '{"a": 1}', "--key", "k")
    assert (answer.code, answer.out) == (0, f"{ID}\n")
    assert asked(control, "start").input == {"a": 1}
    assert asked(control, "start").key == "k"


def test_a_start_reads_its_input_from_a_file(cli: Cli, control: FakeControl) -> None:
    Path("input.json").write_text("[1, 2]")
    cli("workflow", "start", "release", "--input", "input.json", "--label", "team=web=1")
    assert asked(control, "start").input == [1, 2]
    assert asked(control, "start").labels == {"team": "web=1"}


def test_a_start_reads_its_input_from_standard_input(
    cli: Cli, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io  # noqa: PLC0415 - beside its one use

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'"piped"')))
    cli("workflow", "start", "release", "--input", "-")
    assert asked(control, "start").input == "piped"


@pytest.mark.parametrize(
    ("given", "code"), [("{broken", 5), ("missing.json", 2), ("[1,]", 5), ("/", 2)]
)
def test_an_input_that_cannot_be_read_is_told(cli: Cli, given: str, code: int) -> None:
    assert cli("workflow", "start", "release", "--input", given).code == code


def test_a_repeated_start_says_so(cli: Cli, control: FakeControl) -> None:
    control.created = False
    answer = cli("workflow", "start", "release", "--key", "k")
    assert answer.out == f"{ID}\n"
    assert "started before" in answer.err


def test_with_json_a_start_prints_the_whole_answer(cli: Cli) -> None:
    answer = cli("workflow", "start", "release", "--json")
    assert answer.json == {"workflow_id": ID, "created": True, "durability": "process"}


def test_waiting_prints_the_output_on_standard_output_and_the_way_on_the_other(
    cli: Cli, control: FakeControl
) -> None:
    control.endings = [view(), view(status="completed", output={"ok": [1]}, waiting=[])]
    answer = cli("workflow", "start", "release", "--wait")
    assert (answer.code, answer.json) == (0, {"ok": [1]})
    assert "✓ plan ok" in answer.err


def test_waiting_for_a_failure_ends_with_code_one(cli: Cli, control: FakeControl) -> None:
    broken = StageView(name="plan", kind="agent", status="ended", outcome="failed", visit=1)
    control.endings = [view(status="failed", reason="no disk", stages=[broken])]
    answer = cli("workflow", "start", "release", "--wait")
    assert (answer.code, answer.out) == (1, "")
    assert "✗ plan failed" in answer.err
    assert "no disk" in answer.err


def test_waiting_with_json_prints_the_whole_workflow(cli: Cli, control: FakeControl) -> None:
    control.endings = [view(status="failed", reason="no disk")]
    answer = cli("workflow", "start", "release", "--wait", "--json")
    assert (answer.code, answer.json["reason"]) == (1, "no disk")


def test_waiting_too_long_ends_with_code_seven(cli: Cli) -> None:
    answer = cli("workflow", "start", "release", "--wait", "--timeout", "0.01")
    assert answer.code == 7


def test_a_dry_run_starts_nothing(
    cli: Cli, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {
        "name": "release",
        "input": {"type": "object", "required": ["a"]},
        "stages": [{"name": "plan", "agent": "plan@^1"}],
    }

    async def definition(_: str) -> dict[str, Any]:
        return body

    monkeypatch.setattr(control, "definition", definition)
    good = cli("workflow", "start", "release", "--dry-run", "--input", '{"a": 1}', "--json")
    assert (good.code, good.json["first_stage"]) == (0, "plan")
    bad = cli("workflow", "start", "release", "--dry-run", "--input", "{}")
    assert bad.code == 5
    assert '"a"' in bad.err
    assert not any(name == "start" for name, _ in control.calls)


# --- views --------------------------------------------------------------------------------------


def test_a_list_shows_a_row_for_each_workflow(cli: Cli) -> None:
    head, row = cli("workflow", "list").out.splitlines()
    assert head.split()[:2] == ["ID", "WORKFLOW"]
    assert row.startswith(f"{ID}  release 1.0.0  ● running")


def test_filters_of_a_list_travel(cli: Cli, control: FakeControl) -> None:
    given = ["--status", "failed", "--label", "team=web", "--waiting", "approval"]
    cli("workflow", "list", *given, "--text", "rel", "--limit", "3", "--oldest-first")
    query = asked(control, "list")
    assert (query.statuses, query.labels, query.limit) == (("failed",), (("team", "web"),), 3)
    assert (query.waiting, query.text, query.oldest_first) == ("approval", "rel", True)


def test_a_label_without_a_value_is_a_usage_error(cli: Cli) -> None:
    assert cli("workflow", "list", "--label", "team").code == 2


def test_with_json_a_list_is_a_page(cli: Cli) -> None:
    page = cli("workflow", "list", "--json").json
    assert page["rows"][0]["workflow_id"] == ID
    assert page["cursor"] is None


def test_an_empty_list_has_nothing_on_standard_output(cli: Cli, control: FakeControl) -> None:
    control.views = {}
    answer = cli("workflow", "list")
    assert (answer.out, answer.err) == ("", "No workflows.\n")


def test_showing_a_workflow_tells_stages_rounds_and_reasons(cli: Cli) -> None:
    out = cli("workflow", "show", ID).out
    assert "✓ plan" in out
    assert "2 of 3" in out
    assert "build: queued since 10 s, no live agent of build@^1" in out
    assert "owner agents of build@^1" in out
    assert "→ stagewright agent run MODULE" in out


def test_a_stage_with_a_bad_outcome_is_no_tick(cli: Cli, control: FakeControl) -> None:
    stage = (
        view()
        .stages[0]
        .model_copy(
            update={"outcome": "failed", "errors": [{"type": "Disk", "message": "disk is full"}]}
        )
    )
    control.views[ID] = view(status="failed", reason="plan ended as failed", stages=[stage])
    out = cli("workflow", "show", ID).out
    assert "✗ plan" in out
    assert "disk is full" in out
    assert "Ended because: plan ended as failed" in out


def test_with_json_a_workflow_is_its_view(cli: Cli) -> None:
    assert cli("workflow", "show", ID, "--json").json == view().model_dump(mode="json")


def test_an_explanation_gives_sentence_owner_and_remedy(cli: Cli) -> None:
    lines = cli("workflow", "explain", ID).out.splitlines()
    assert lines[0] == "build: queued since 10 s, no live agent of build@^1"
    assert lines[1].startswith("  owner agents of build@^1, since ")
    assert lines[2] == "  → stagewright agent run MODULE"


def test_with_json_an_explanation_is_its_reasons(cli: Cli) -> None:
    answer = cli("workflow", "explain", ID, "--json").json
    assert (answer["status"], answer["waiting"][0]["kind"]) == ("running", "queued")


def test_a_workflow_that_ended_waits_for_nothing(cli: Cli, control: FakeControl) -> None:
    control.views[ID] = view(status="completed", waiting=[])
    assert cli("workflow", "explain", ID).out == "✓ completed\n"


def test_an_explanation_of_a_failure_names_the_field_that_was_wrong(
    cli: Cli, control: FakeControl
) -> None:
    error = {"type": "input_invalid", "path": "a.number", "message": "not a number"}
    control.views[ID] = view(
        status="failed", waiting=[], reason="plan ended as invalid", errors=[error]
    )
    assert cli("workflow", "explain", ID).out.splitlines() == [
        "✗ failed",
        "Ended because: plan ended as invalid",
        "  input_invalid: a.number: not a number",
    ]


def test_watching_prints_each_change_once_until_the_end(cli: Cli, control: FakeControl) -> None:
    control.endings = [view(), view(), view(status="completed", waiting=[])]
    answer = cli("workflow", "watch", ID)
    assert answer.code == 0
    assert answer.out.count("build round 2") == 1
    assert answer.out.splitlines()[-1].endswith("✓ release completed")


def test_watching_with_json_prints_a_line_for_each_change(cli: Cli, control: FakeControl) -> None:
    control.endings = [view(), view(), view(status="cancelled", waiting=[])]
    answer = cli("workflow", "watch", ID, "--json")
    states = [orjson.loads(line)["status"] for line in answer.out.splitlines()]
    assert (answer.code, states) == (1, ["running", "cancelled"])


def test_a_log_has_a_line_for_each_event(cli: Cli, control: FakeControl) -> None:
    lines = cli("workflow", "log", ID, "--after", "2").out.splitlines()
    assert [line.split()[-1] for line in lines] == ["WORKFLOW_CREATED", "stage=plan"]
    assert asked(control, "log") == (ID, "steps", 2, 1_000)


def test_notes_can_be_asked_for(cli: Cli, control: FakeControl) -> None:
    assert cli("workflow", "log", ID, "--notes", "--json").json["records"]
    assert asked(control, "log")[1] == "notes"


def test_a_replay_that_is_equal_says_so(cli: Cli, control: FakeControl) -> None:
    answer = cli("workflow", "replay", ID, "--repair")
    assert "3 steps give the state, byte for byte" in answer.err
    assert asked(control, "replay") == (ID, True)


def test_a_replay_that_differs_is_a_conflict(
    cli: Cli, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replay(workflow_id: str, *, repair: bool = False) -> ReplayReport:
        del repair
        return ReplayReport(workflow_id=workflow_id, steps=3, equal=False, difference="byte 7")

    monkeypatch.setattr(control, "replay", replay)
    answer = cli("workflow", "replay", ID)
    assert answer.code == 4
    assert "byte 7" in answer.err


# --- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pause", "resume", "cancel", "retry", "approve", "reject"])
def test_a_command_is_given_by_the_user_of_the_machine(
    cli: Cli, control: FakeControl, kind: str
) -> None:
    assert cli("workflow", kind, ID).code == 0
    request = asked(control, f"command {ID}")
    assert (request.kind, request.by) == (kind, "ann")


def test_a_decision_names_who_what_and_for_which_round(cli: Cli, control: FakeControl) -> None:
    Path("form.json").write_text('{"size": "L"}')
    words = "--as bob --stage gate --visit 2 --shown ab --group ops --group qa --comment fine"
    cli("workflow", "approve", ID, *words.split(), "--data", "form.json")
    request = asked(control, "command")
    assert (request.by, request.stage, request.visit) == ("bob", "gate", 2)
    assert (request.shown_hash, request.groups) == ("ab", ("ops", "qa"))
    assert (request.reason, request.data) == ("fine", {"size": "L"})


def test_a_signal_carries_its_data(cli: Cli, control: FakeControl) -> None:
    cli("workflow", "signal", ID, "paid", "--data", '{"sum": 3}')
    request = asked(control, "command")
    assert (request.kind, request.name, request.data) == ("signal", "paid", {"sum": 3})


def test_a_retry_prints_the_id_to_watch(cli: Cli, control: FakeControl) -> None:
    answer = cli("workflow", "retry", ID, "--stage", "build", "--input", "[1]")
    assert answer.out == f"{ID}\n"
    assert (asked(control, "command").stage, asked(control, "command").data) == ("build", [1])


def test_with_json_a_command_prints_the_reply(cli: Cli) -> None:
    answer = cli("workflow", "pause", ID, "--reason", "lunch", "--json")
    assert answer.json["code"] == "accepted"

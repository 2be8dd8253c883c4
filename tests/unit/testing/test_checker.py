"""The judge must convict: each planted violation is found, and a clean run is acquitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from stagewright.domain.decide import decide
from stagewright.domain.definition import Definition
from stagewright.domain.draft import Context
from stagewright.domain.events import StepRecord, decode_step, encode_step
from stagewright.domain.evolve import replay, seal
from stagewright.domain.ids import TaskId
from stagewright.domain.messages import Result, Start
from stagewright.domain.outputs import Outputs
from stagewright.domain.plan import Plan
from stagewright.domain.records import but
from stagewright.domain.snapshot import encode_state
from stagewright.testing.checker import Evidence, Execution, judge, read_journals

WORKFLOW = "p00-" + "a" * 32
STAGES = ("build", "ship")


def run() -> Evidence:
    """Run two stages through the kernel and return what would be stored."""
    definition = Definition.model_validate(
        {"name": "w", "stages": [{"name": name, "agent": name} for name in STAGES]}
    )
    plan, outputs, state, log = Plan(definition), Outputs(), None, []
    messages = [Start("c" * 32, b"{}", "hash")]
    messages += [Result(TaskId(WORKFLOW, s, 1, 1), True, b'"%s"' % s.encode()) for s in STAGES]
    for number, message in enumerate(messages, 1):
        decision = decide(Context(plan, WORKFLOW, outputs, number, 0.0), state, message)
        cause = f"result {number}" if number > 1 else "command Start"
        step = StepRecord(number, f"step{number}", number, cause, decision.events, decision.answer)
        state = seal(decision.state, step)
        log.append(encode_step(step))
    return Evidence(WORKFLOW, log, encode_state(state), dict(outputs.all_raw()))


@pytest.fixture
def clean() -> Evidence:
    return run()


@pytest.fixture
def journal() -> list[Execution]:
    return [Execution(WORKFLOW, name, 1, orjson.dumps(name)) for name in STAGES]


def with_snapshot_of_log(item: Evidence, log: list[bytes]) -> Evidence:
    state = replay(WORKFLOW, map(decode_step, log))
    return replace(item, log=log, snapshot=encode_state(state))


def test_a_clean_run_is_acquitted(clean: Evidence, journal: list[Execution]) -> None:
    assert judge([WORKFLOW], [clean], journal) == []


def test_a_lost_workflow_is_found(journal: list[Execution]) -> None:
    assert "is lost" in judge([WORKFLOW], [], journal)[0]


def test_a_gap_in_the_numbers_is_found(clean: Evidence, journal: list[Execution]) -> None:
    gapped = replace(clean, log=[clean.log[0], clean.log[2]])
    assert any("numbered [1, 3]" in v for v in judge([WORKFLOW], [gapped], journal))


def test_a_step_applied_twice_is_found(clean: Evidence, journal: list[Execution]) -> None:
    third = decode_step(clean.log[2])
    again = encode_step(but(third, n=4))
    doubled = with_snapshot_of_log(clean, [*clean.log, again])
    violations = judge([WORKFLOW], [doubled], journal)
    assert any("stands in the log 2 times" in v for v in violations)
    assert any("ship visit 1 completed 2 times" in v for v in violations)


def test_a_result_applied_in_two_steps_is_found(clean: Evidence, journal: list[Execution]) -> None:
    other = encode_step(but(decode_step(clean.log[2]), n=4, id="other"))
    doubled = with_snapshot_of_log(clean, [*clean.log, other])
    assert any("was applied 2 times" in v for v in judge([WORKFLOW], [doubled], journal))


def test_a_snapshot_of_another_history_is_found(clean: Evidence, journal: list[Execution]) -> None:
    strange = replace(clean, snapshot=clean.snapshot.replace(b'"step":3', b'"step":4'))
    assert any("not the fold" in v for v in judge([WORKFLOW], [strange], journal))


def test_a_workflow_that_never_ended_is_found(clean: Evidence, journal: list[Execution]) -> None:
    stuck = with_snapshot_of_log(clean, list(clean.log[:2]))
    assert any("has not ended" in v for v in judge([WORKFLOW], [stuck], journal))


def test_an_output_that_no_agent_gave_is_found(clean: Evidence, journal: list[Execution]) -> None:
    assert any("no agent gave" in v for v in judge([WORKFLOW], [clean], journal[:1]))


def test_a_journal_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    whole = {"workflow_id": WORKFLOW, "stage": "build", "visit": 1, "output": {"b": 1, "a": 2}}
    path = tmp_path / "agent.jsonl"
    path.write_bytes(orjson.dumps(whole) + b"\n" + orjson.dumps(whole)[:20])
    (entry,) = read_journals(tmp_path)
    assert entry.output == b'{"a":2,"b":1}'

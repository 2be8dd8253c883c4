"""What a stage is given."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.domain.inputs import resolve, stage_input
from stagewright.domain.wiring import compile_template
from tests.unit.domain.kernel import Kernel, agent, approval, started


@pytest.fixture
def flow() -> Kernel:
    """A workflow in its second round of `build`; `check` found fault, `late` never ran."""
    made = started(
        agent("build"), agent("check", on={"bad": "build"}), agent("late"), value={"a": {"b": [5]}}
    )
    made.ok("build", {"round": 1})
    made.says("check", "bad", {"verdict": "no"})
    made.ok("build", {"round": 2})
    return made


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ({"from": "input"}, {"a": {"b": [5]}}),
        ({"from": "input.a.b.0"}, 5),
        ({"from": "input.nothing.here"}, None),
        ({"from": "stages.build.output.round"}, 2),
        ({"from": "stages.late.output"}, None),
        ({"from": "stages.late.errors"}, None),
        ({"from": "stages.check.errors"}, []),
        ({"x": [1, {"from": "stages.check.output.verdict"}]}, {"x": [1, "no"]}),
        ("literal", "literal"),
    ],
)
def test_references_are_filled_from_the_newest_visits(
    flow: Kernel, template: Any, value: Any
) -> None:
    assert resolve(compile_template(template), flow.now, flow.outputs) == value


def test_errors_of_a_stage_can_be_handed_on() -> None:
    flow = started(agent("build"), approval("sign", on={"rejected": "mend"}), agent("mend"))
    flow.ok("build")
    flow.vote("sign", "ann", approved=False, comment="no")
    template = compile_template({"from": "stages.sign.errors"})
    assert resolve(template, flow.now, flow.outputs)[0]["message"] == "no"


def test_without_a_template_a_stage_gets_its_source_as_stored(flow: Kernel) -> None:
    assert stage_input(None, flow.now, flow.outputs, "build/1") == b'{"round":1}'
    assert stage_input(None, flow.now, flow.outputs, "") == b"null"


def test_with_a_template_a_stage_gets_canonical_json(flow: Kernel) -> None:
    template = compile_template({"z": 1, "a": {"from": "input.a"}})
    given = stage_input(template, flow.now, flow.outputs, "build/1")
    assert given == b'{"a":{"b":[5]},"z":1}'
    assert orjson.loads(given) == {"a": {"b": [5]}, "z": 1}

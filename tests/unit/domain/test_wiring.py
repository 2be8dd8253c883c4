from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.errors import ReferenceInvalid
from stagewright.domain.wiring import (
    MAX_TEMPLATE_DEPTH,
    Reference,
    compile_template,
    dig,
    needed_outputs,
    parse_reference,
    references,
    resolve,
)

VALUES: dict[str, Any] = {
    "input": {"title": "shop", "tags": ["a", {"name": "b"}]},
    "stages.build.output": {"files": [{"path": "x.py"}]},
    "stages.test.errors": [{"message": "red"}],
}


def lookup(reference: Reference) -> Any:
    root = Reference(reference.root, reference.stage)
    return VALUES.get(str(root))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("input", Reference("input", None)),
        ("input.a.b", Reference("input", None, ("a", "b"))),
        ("stages.build.output", Reference("output", "build")),
        ("stages.build.output.0.x", Reference("output", "build", ("0", "x"))),
        ("stages.build.errors", Reference("errors", "build")),
        ("stages.build.errors.0.message", Reference("errors", "build", ("0", "message"))),
    ],
)
def test_a_reference_reads_back_as_it_was_written(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output.a", "starts with 'output', not with input or stages."),
        ("", "a part between dots is empty."),
        ("input..a", "a part between dots is empty."),
        ("input.", "a part between dots is empty."),
        ("stages", "says which stage but not what of it."),
        ("stages.build", "says which stage but not what of it."),
        ("stages.build.outptu", "a stage has output and errors, no 'outptu'."),
    ],
)
def test_a_reference_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(ReferenceInvalid) as caught:
        parse_reference(text)
    assert caught.value.message == f"Reference {text!r}: {message}"
    assert caught.value.remedy.startswith("Write input.FIELD, stages.NAME.output.FIELD")


def test_references_are_replaced_and_literals_stay() -> None:
    template = {
        "title": {"from": "input.title"},
        "list": [1, {"from": "stages.build.output.files.0.path"}, "x"],
        "deep": {"why": {"from": "stages.test.errors"}, "n": None},
    }
    assert resolve(template, lookup) == {
        "title": "shop",
        "list": [1, "x.py", "x"],
        "deep": {"why": [{"message": "red"}], "n": None},
    }


def test_resolving_leaves_the_template_as_it_was() -> None:
    template = {"a": [{"from": "input.title"}]}
    compiled = compile_template(template)
    compiled.resolve(lookup)
    assert template == {"a": [{"from": "input.title"}]}
    assert compiled.resolve(lambda _: None) == {"a": [None]}


def test_a_template_may_be_one_reference() -> None:
    assert resolve({"from": "input"}, lookup) == VALUES["input"]


@pytest.mark.parametrize(
    "path",
    ["nope", "title.x", "tags.2", "tags.-1", "tags.x", "tags.0.x", "tags.²"],
)
def test_what_is_missing_is_null(path: str) -> None:
    assert resolve({"from": f"input.{path}"}, lookup) is None


def test_a_stage_that_has_not_run_is_null() -> None:
    assert resolve({"from": "stages.later.output.a"}, lookup) is None


def test_integers_lead_into_lists() -> None:
    assert dig([["a"], ["b", "c"]], ("1", "0")) == "b"


def test_a_literal_template_is_handed_out_without_copying() -> None:
    template = {"a": [1, {"b": 2}]}
    compiled = compile_template(template)
    assert compiled.constant
    assert compiled.resolve(lookup) is template


@pytest.mark.parametrize("literal", [{"from": 5}, {"from": "x", "to": "y"}, {"from": ["input"]}])
def test_only_a_lone_from_with_text_is_a_reference(literal: Any) -> None:
    assert compile_template(literal).constant


def test_a_template_knows_its_stages_and_references_in_order() -> None:
    template = [
        {"from": "stages.b.output"},
        {"x": {"from": "stages.a.output.y"}},
        {"from": "stages.b.output.z"},
        {"from": "stages.c.errors"},
        {"from": "input"},
    ]
    compiled = compile_template(template)
    assert compiled.stages == needed_outputs(template) == ("b", "a")
    assert [str(one) for one in compiled.references] == [
        "stages.b.output",
        "stages.a.output.y",
        "stages.b.output.z",
        "stages.c.errors",
        "input",
    ]
    assert [place for place, _ in references(template)] == ["0", "1.x", "2", "3", "4"]


def test_a_template_that_is_too_deep_is_refused() -> None:
    template: Any = {"from": "input"}
    for _ in range(MAX_TEMPLATE_DEPTH + 2):
        template = [template]
    with pytest.raises(ReferenceInvalid, match="nested deeper than 64 levels"):
        compile_template(template)

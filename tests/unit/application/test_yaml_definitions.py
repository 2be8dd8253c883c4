from __future__ import annotations

from typing import Any

import pytest
import yaml

from stagewright.application.yaml_definitions import (
    MAX_LENGTH,
    line_of,
    load_definition,
    looks_like_definition,
)
from stagewright.domain.errors import DefinitionError, LoadError

START = "name: example\nstages:\n- name: a\n  agent: a\n"


def template(text: str) -> Any:
    (stage,) = load_definition(f"{START}  with: {text}\n", "flow.yaml").stages
    return stage.model_dump()["with_"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{on: yes, off: no}", {"on": "yes", "off": "no"}),
        ("[true, False, TRUE]", [True, False, True]),
        ("[~, null, ]", [None, None]),
        ("[010, -7, +1]", [10, -7, 1]),
        ("[1e3, .5, 1., -2.5E-1]", [1000.0, 0.5, 1.0, -0.25]),
        ("[1:30, 0x1f, .nan, .inf, 1_000]", ["1:30", "0x1f", ".nan", ".inf", "1_000"]),
        ("[2030-01-01, 2030-01-01T00:00:00Z]", ["2030-01-01", "2030-01-01T00:00:00Z"]),
        ("'5'", "5"),
        ("{n: }", {"n": None}),
    ],
)
def test_scalars_are_those_of_json(text: str, value: Any) -> None:
    assert template(text) == value


def test_routes_may_be_called_on() -> None:
    definition = load_definition(f"{START}  on:\n    ok: complete\n", "flow.yaml")
    assert definition.stages[0].on == {"ok": "complete"}


def test_aliases_stand_for_what_they_name() -> None:
    assert template("[&x {a: 1}, *x]") == [{"a": 1}, {"a": 1}]


def ten_times(old: str, new: str) -> str:
    return f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"


BROKEN: dict[str, tuple[str, str, str]] = {
    "a duplicate key": (
        f"{START}name: other\n",
        "flow.yaml, line 5, column 1: key 'name' stands twice (first in line 1).",
        "Correct the YAML there.",
    ),
    "a duplicate stage field": (
        f"{START}  agent: b\n",
        "flow.yaml, line 5, column 3: key 'agent' stands twice (first in line 4).",
        "Correct the YAML there.",
    ),
    "an unclosed bracket": (
        "a: [1\n",
        "flow.yaml, line 2, column 1: expected ',' or ']', but got '<stream end>'.",
        "Correct the YAML there.",
    ),
    "a number as key": (
        "1: a\n",
        "flow.yaml, line 1, column 1: key '1' is not a string.",
        "Correct the YAML there.",
    ),
    "a list as key": (
        "? [a]\n: b\n",
        "flow.yaml, line 1, column 3: key of a list is not a string.",
        "Correct the YAML there.",
    ),
    "a mapping as key": (
        "? {a: b}\n: b\n",
        "flow.yaml, line 1, column 3: key of a mapping is not a string.",
        "Correct the YAML there.",
    ),
    "two documents": (
        "a: b\n---\nc: d\n",
        "flow.yaml, line 2, column 1: but found another document.",
        "Correct the YAML there.",
    ),
    "a Python object": (
        "a: !!python/object:os.system x\n",
        (
            "flow.yaml, line 1, column 4: could not determine a constructor for the tag"
            " 'tag:yaml.org,2002:python/object:os.system'."
        ),
        "Correct the YAML there.",
    ),
    "a set": (
        "a: !!set {x}\n",
        (
            "flow.yaml, line 1, column 4: could not determine a constructor for the tag"
            " 'tag:yaml.org,2002:set'."
        ),
        "Correct the YAML there.",
    ),
    "a huge integer": (
        f"a: {'9' * 21}\n",
        f"flow.yaml, line 1, column 4: {'9' * 21} is no integer of at most 64 bits.",
        "Correct the YAML there.",
    ),
    "a word as integer": (
        "a: !!int x\n",
        "flow.yaml, line 1, column 4: x is no integer of at most 64 bits.",
        "Correct the YAML there.",
    ),
    "a number beyond all numbers": (
        "a: 1e999\n",
        "flow.yaml, line 1, column 4: 1e999 is no number that can be kept.",
        "Correct the YAML there.",
    ),
    "a word as number": (
        "a: !!float x\n",
        "flow.yaml, line 1, column 4: x is no number that can be kept.",
        "Correct the YAML there.",
    ),
    "half a character": (
        'name: "\\ud800"\n',
        "flow.yaml, line 1, column 7: half of a surrogate pair is no character.",
        "Correct the YAML there.",
    ),
    "a control character": (
        "name: a\x00\n",
        "flow.yaml: unacceptable character #x0000: special characters are not allowed.",
        "Correct the YAML there.",
    ),
    "an alias that contains itself": (
        "a: &a [*a]\n",
        "flow.yaml: deeper than 100 levels.",
        "Flatten it, and let no alias contain itself.",
    ),
    "nesting without end": ("[" * 10_000, "flow.yaml: it is nested too deeply.", "Flatten it."),
    "deep nesting": (
        "a: " + "[" * 110 + "]" * 110,
        "flow.yaml: deeper than 100 levels.",
        "Flatten it, and let no alias contain itself.",
    ),
    "a great length": (
        "#" * (MAX_LENGTH + 1),
        f"flow.yaml: {MAX_LENGTH + 1} characters, at most {MAX_LENGTH} are read.",
        "Split the definition.",
    ),
    "a laughing billion": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n"
            for a, b in zip("abcde", "bcdef", strict=False)
        ),
        "flow.yaml: more than 200000 values.",
        "Use fewer aliases.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_yaml_is_told_with_the_place(case: str) -> None:
    text, message, remedy = BROKEN[case]
    with pytest.raises(LoadError) as caught:
        load_definition(text, "flow.yaml")
    assert (caught.value.message, caught.value.remedy) == (message, remedy)
    assert caught.value.exit_code == 5


def test_what_is_malformed_is_told_with_its_line() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_definition(f"{START}  retry:\n    attempt: 3\n- name: b\n", "flow.yaml")
    assert [problem.path for problem in caught.value.found] == [
        "flow.yaml, line 6, stages.0.retry.attempt",
        "flow.yaml, line 7, stages.1.agent",
    ]


def test_an_empty_file_is_no_definition() -> None:
    with pytest.raises(DefinitionError, match="this is nothing"):
        load_definition("# nothing yet\n", "flow.yaml")


def test_a_place_without_a_line_is_that_of_what_is_around_it() -> None:
    node = yaml.compose(START)
    assert line_of(node, "stages.0.agent") == 4
    assert line_of(node, "stages.0.with.x") == 3
    assert line_of(node, "stages.7") == 2
    assert line_of(node, "") == 1
    assert line_of(None, "stages") is None


@pytest.mark.parametrize(
    ("text", "looks"),
    [(START, True), ("services: {}\n", False), ("- stages\n", False), ("", False)],
)
def test_a_document_with_stages_looks_like_a_definition(text: str, looks: bool) -> None:
    assert looks_like_definition(text, "flow.yaml") is looks

"""Whatever a request says, the code made of it is neat, and can be tested completely."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.delivery.literals import docstring, python
from examples.delivery.request import Answer, DeliveryRequest, Endpoint, Resource, ResourceField
from examples.delivery.rules import broken_rules
from examples.delivery.samples import changed_record, valid_record, violations
from tests.acceptance.delivery.driver import Delivery

NASTY = 'Quotes """ and \\ backslashes,\nnew lines, \x00, {braces} | pipes, and ümläuts '
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON.filter(lambda value: value not in (float("inf"), float("-inf"))))
def test_any_value_becomes_an_expression_with_that_value(value: Any) -> None:
    assert ast.literal_eval(_joined(python(value))) == value


def test_a_long_run_of_one_character_is_written_shortly() -> None:
    text = "x" * 400 + "@example.org"
    assert python(text) == '"x" * 400 + "@example.org"'


@given(st.text())
def test_any_text_is_safe_inside_a_docstring(text: str) -> None:
    compile(f'"""{docstring(text)}"""', "generated", "exec")


@pytest.mark.usefixtures("home")
async def test_a_request_full_of_nasty_texts_is_built_and_behaves() -> None:
    nasty = NASTY + "word " * 60
    body = {"text": nasty.replace("{braces}", ""), "list": [nasty[:20] * 9, None, 1.5, True]}
    request = DeliveryRequest.model_validate(
        {
            "name": "nasty-texts",
            "description": nasty[:400],
            "endpoints": [
                {"path": "/long", "description": nasty[:250], "answer": {"body": body}},
                {"path": "/{a}/x/{b}", "answer": {"body": {"{": "}{b}"}}},
                {"method": "DELETE", "path": "/gone", "answer": {"status": 204}},
            ],
        }
    )
    delivery = Delivery(request)
    await delivery.build()
    assert delivery.visits["scaffolding"] == 1


ALL_RULES = Resource(
    name="things",
    fields=(
        ResourceField(name="text", required=True, min_length=3, max_length=30),
        ResourceField(name="email", type="email", max_length=40),
        ResourceField(name="count", type="integer", minimum=2, maximum=4, required=True),
        ResourceField(name="size", type="number", minimum=0.5),
        ResourceField(name="code", pattern="[a-z ]+", max_length=20),
        ResourceField(name="colour", choices=("red", "green"), required=True),
        ResourceField(name="level", type="integer", choices=(1, 2, 3), default=1),
        ResourceField(name="day", type="date"),
        ResourceField(name="open", type="boolean", default=False),
    ),
    search=("text", "code"),
)


def test_samples_obey_every_rule() -> None:
    assert broken_rules(ALL_RULES, valid_record(ALL_RULES)) == {}
    assert broken_rules(ALL_RULES, changed_record(ALL_RULES)) == {}


def test_a_changed_record_differs_in_every_field() -> None:
    before, after = valid_record(ALL_RULES), changed_record(ALL_RULES)
    assert [name for name in before if before[name] == after[name]] == []


def test_each_violation_breaks_one_rule_of_one_field() -> None:
    for each in violations(ALL_RULES):
        assert broken_rules(ALL_RULES, each.record) == {each.field: each.rule}


def test_there_is_a_violation_of_every_rule() -> None:
    rules = {each.rule for each in violations(ALL_RULES)}
    assert rules == {"required", "type", "email", "length", "pattern", "range", "choices"}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "parts",
    [
        {"endpoints": (Endpoint(path="/{name}", answer=Answer(body="{name}")),)},
        {"resources": (ALL_RULES,)},
    ],
    ids=["endpoints", "resources"],
)
async def test_complete_coverage_can_be_had_by_asking_for_it(parts: dict[str, Any]) -> None:
    everything = ("test coverage of at least 100 %",)
    request = DeliveryRequest(name="sample", description="-", requirements=everything, **parts)
    delivery = Delivery(request)
    await delivery.build()
    assert delivery.visits["scaffolding"] == 2


def _joined(expression: str) -> str:
    """Resolve `"x" * n + ...`, which `literal_eval` does not calculate."""
    return repr(eval(expression, {"__builtins__": {}}))

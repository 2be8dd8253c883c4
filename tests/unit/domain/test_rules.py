from __future__ import annotations

from typing import Any

import pytest

from stagewright.domain.definition import Rule
from stagewright.domain.errors import RuleInvalid
from stagewright.domain.rules import (
    FUNCTIONS,
    TYPES,
    CompiledRule,
    RuleFailed,
    compile_rule,
    first_outcome,
)


def compiled(when: str, outcome: str = "yes") -> CompiledRule:
    return compile_rule(Rule.model_construct(when=when, outcome=outcome))


def outcome(*rules: CompiledRule, output: Any = None, given: Any = None, visit: int = 1) -> Any:
    return first_outcome(rules, output=output, input=given, visit=visit)


def test_the_first_rule_that_holds_gives_the_outcome() -> None:
    rules = [compiled("output.n > 9", "big"), compiled("output.n > 5", "medium")]
    assert [outcome(*rules, output={"n": n}) for n in (1, 6, 10)] == [None, "medium", "big"]


def test_without_rules_there_is_no_outcome() -> None:
    assert outcome(output={"n": 1}) is None


def test_rules_read_output_input_and_visit() -> None:
    rule = compiled("output.n > input.limit && visit == 2")
    assert outcome(rule, output={"n": 2}, given={"limit": 1}, visit=2) == "yes"
    assert outcome(rule, output={"n": 2}, given={"limit": 1}, visit=1) is None


def test_a_rule_converts_only_the_values_it_reads() -> None:
    assert outcome(compiled("visit > 0"), output=object()) == "yes"


@pytest.mark.parametrize(
    "when",
    [
        "output.items.all(x, x > 0)",
        "output.items.exists_one(output, output == 1)",
        "output.items.filter(x, x > 0).map(y, y * 2) == [2, 4]",
        "output.items.all(x, output.items.exists(y, y == x))",
        "type(output) == map && type(output.items) == list",
        "has(output.missing) || size(output.items) == 2",
        "'visit' == \"visit\" // and unknown words in remarks",
        r"r'\' == '\\'",
        "'''it's''' == \"it's\"",
        "{'key': visit}.key == 1 && 1 in {1: 2}",
        "duration('1h') > duration('30m') && timestamp('2020-01-01T00:00:00Z').getMonth() == 0",
    ],
)
def test_what_cel_offers_may_be_used(when: str) -> None:
    assert outcome(compiled(when), output={"items": [1, 2]}) == "yes"


@pytest.mark.parametrize(
    ("when", "unknown"),
    [
        ("outptu.a", "outptu"),
        ("output.a && now > 1", "now"),
        ("[1].all(x, true) && x", "x"),
        ("x.all(x, true)", "x"),
        ("[1].all(x, y)", "y"),
        ("{key: 1}.a == 1", "key"),
        ("Message{} == 1", "Message"),
        ("output ? 1 : other", "other"),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(when: str, unknown: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        compiled(when)
    assert caught.value.message == f"Rule {when!r}: unknown name {unknown}."
    assert caught.value.remedy == "Known names: input, output, visit."


def test_an_unknown_function_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(RuleInvalid) as caught:
        compiled("max(output.a, 1) > 1")
    assert caught.value.message.endswith("unknown function max.")
    assert "contains, double, duration" in caught.value.remedy


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("output.a ==", "line 1, column 12: mismatched input '<EOF>'."),
        ("output.a\n& 1", "line 2, column 1: token recognition error at: '& '."),
        ("x" * 1_001, "it has 1001 characters, at most 1000 are allowed."),
        ("(" * 17 + "true" + ")" * 17, "it is nested deeper than 16 levels."),
        (
            "output.all(a, output.all(b, output.all(c, true)))",
            "more than 2 comprehensions stand inside each other.",
        ),
    ],
)
def test_a_rule_is_bounded_and_must_parse(when: str, message: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        compiled(when)
    assert caught.value.message.endswith(message)
    assert caught.value.remedy.startswith("Decide in the agent")


def test_brackets_in_texts_do_not_count_as_nesting() -> None:
    assert outcome(compiled(f"'{'(' * 40}' != ''")) == "yes"


@pytest.mark.parametrize(
    ("when", "output", "reason"),
    [
        ("output.a > 1", {}, "there is no field 'a'."),
        ("output.a > 1", {"a": "x"}, "No such overload"),
        ("output.a", {"a": 1}, "it gives int, not true or false."),
        ("output.a / 0 == 1", {"a": 1}, "division by zero"),
        ("output[3] == 1", [1], "index out of bounds"),
        ("output == 1", object(), "Conversion Error"),
    ],
)
def test_a_rule_that_cannot_decide_fails_by_name(when: str, output: Any, reason: str) -> None:
    with pytest.raises(RuleFailed) as caught:
        outcome(compiled(when), output=output)
    assert caught.value.rule == when
    assert reason in caught.value.reason
    assert "has(...)" in caught.value.remedy


def test_a_later_rule_is_not_asked_once_one_holds() -> None:
    assert outcome(compiled("true", "first"), compiled("output.a", "second"), output={}) == "first"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_each_listed_type_is_known_when_a_rule_runs(name: str) -> None:
    assert outcome(compiled(f"{name} == {name}")) == "yes"


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"has"}))
def test_each_listed_function_is_known_when_a_rule_runs(name: str) -> None:
    """Some argument is right for each of them; a function that is missing fails for all."""
    calls = [f"{name}('1')", f"'1'.{name}('1')", f"{name}(duration('1h'))"]
    calls += [f"timestamp('2020-01-01T00:00:00Z').{name}()", f"{name}('2020-01-01T00:00:00Z')"]
    assert any(_runs(f"{call} == {call}") for call in calls)


def _runs(when: str) -> bool:
    try:
        return outcome(compiled(when)) == "yes"
    except RuleFailed:
        return False

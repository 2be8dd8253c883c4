"""Requests are read strictly, and refused with the field and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from examples.delivery.errors import RequestUnreadable
from examples.delivery.request import DeliveryRequest, read_request
from examples.delivery.request_checks import problems
from examples.delivery.requirements import expectations, understand
from tests.acceptance.delivery.driver import REQUESTS

FIELD = {"name": "title", "type": "text"}


def request(**parts: Any) -> DeliveryRequest:
    """A request for one endpoint, with other parts."""
    plain = {"name": "sample", "description": "A sample.", "endpoints": [{"path": "/"}]}
    return DeliveryRequest.model_validate(plain | parts)


def resource(**parts: Any) -> list[dict[str, Any]]:
    return [{"name": "things", "fields": [FIELD]} | parts]


def field(**parts: Any) -> list[dict[str, Any]]:
    return resource(fields=[FIELD | parts])


@pytest.mark.parametrize(
    "path",
    [path for path in REQUESTS.glob("*.json") if path.stem != "impossible"],
    ids=lambda p: p.stem,
)
def test_every_shipped_request_but_one_can_be_delivered(path: Path) -> None:
    assert problems(read_request(path)) == []


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"name": "json"}, "name: 'json' cannot be a package"),
        ({"name": "class"}, "name: 'class' cannot be a package"),
        ({"endpoints": []}, "endpoints: there is nothing to build"),
        ({"endpoints": [{"path": "/health"}]}, "endpoints[0].path: /health is reserved"),
        (
            {"endpoints": [{"path": "/a/{x}"}, {"path": "/a/{y}"}]},
            "endpoints[1].path: GET /a/{y} is declared with another answer",
        ),
        (
            {"endpoints": [{"path": "/a/{x}/{x}"}]},
            "endpoints[0].path: the parameter 'x' stands twice",
        ),
        (
            {"endpoints": [{"path": "/a", "answer": {"body": ["{x}"]}}]},
            "endpoints[0].answer.body: '{x}' is no parameter",
        ),
        (
            {"endpoints": [{"path": "/a", "answer": {"status": 204, "body": 1}}]},
            "endpoints[0].answer.body: an answer with status 204 has no body",
        ),
        (
            {"endpoints": [{"path": "/things/x"}], "resources": resource()},
            "endpoints[0].path: /things/x belongs to the resource",
        ),
        ({"resources": resource() * 2}, "resources: 'things' is declared 2 times"),
        ({"resources": resource(name="health")}, "resources[0].name: /health is reserved"),
        (
            {"resources": resource(operations=["list"])},
            "resources[0].operations: without 'create'",
        ),
        ({"resources": resource(fields=[FIELD, FIELD])}, "resources[0].fields[1].name: 'title'"),
        ({"resources": resource(search=["colour"])}, "resources[0].search[0]: 'colour'"),
        (
            {"resources": resource(search=["title"], operations=["create"])},
            "resources[0].search: searching needs",
        ),
        (
            {"resources": resource(examples=[{"title": 5}])},
            "resources[0].examples[0].title: breaks the rule 'type'",
        ),
        (
            {"resources": resource(examples=[{"colour": "red"}])},
            "resources[0].examples[0].colour: breaks the rule 'unknown'",
        ),
        ({"resources": field(name="id")}, "resources[0].fields[0].name: 'id' is taken"),
        (
            {"resources": field(min_length=9, max_length=3)},
            "resources[0].fields[0].min_length: 9 is more than max_length 3",
        ),
        (
            {"resources": field(type="integer", minimum=9, maximum=3)},
            "resources[0].fields[0].minimum: 9 is more than maximum 3",
        ),
        ({"resources": field(minimum=0)}, "resources[0].fields[0].minimum: a range is for numbers"),
        ({"resources": field(type="date", max_length=3)}, "resources[0].fields[0]: lengths and"),
        ({"resources": field(pattern="(")}, "resources[0].fields[0].pattern: '(' is no regular"),
        ({"resources": field(pattern="[0-9]{7}")}, "resources[0].fields[0]: no value was found"),
        ({"resources": field(choices=[1])}, "resources[0].fields[0].choices[0]: 1 breaks"),
        ({"resources": field(default=1)}, "resources[0].fields[0].default: 1 breaks"),
        (
            {"resources": field(max_length=90_000)},
            "resources[0].fields[0].max_length: 90000 characters do not fit",
        ),
        ({"requirements": ["records survive a restart"]}, "requirements: no records can survive"),
        ({"requirements": ["search ignores case"]}, "requirements: no search can ignore case"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_built_is_refused_with_its_field(
    parts: dict[str, Any], problem: str
) -> None:
    found = problems(request(**parts))
    assert any(each.startswith(problem) for each in found), found


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nmae": "x"}, "nmae: Extra inputs"),
        ({"name": "Not A Name"}, "name: String should match"),
        ({"priority": "urgent"}, "priority: Input should be"),
        ({"endpoints": [{"path": "no-slash"}]}, "endpoints[0].path: String should match"),
        ({"resources": [{"name": "x"}]}, "resources[0].fields: Field required"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_its_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"name": "sample", "description": "A sample."} | changes))
    with pytest.raises(RequestUnreadable) as unreadable:
        read_request(file)
    assert unreadable.value.problems[0].startswith(field)


def test_a_file_that_is_not_there_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(RequestUnreadable, match="No such file"):
        read_request(tmp_path / "none.json")


def test_requirements_are_understood_in_any_case_and_spacing() -> None:
    known = expectations(["Test coverage of at least 91%.", "ANSWERS within 250 ms"])
    assert (known.coverage_percent, known.answer_within_ms) == (91, 250)


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("test coverage of at least 101 %", "only from 1 to 100"),
        ("answers within 5 ms", "only from 20 to 60000"),
        ("bodies above 0 KiB are refused", "only from 1 to 1024"),
        ("it is beautiful", "it understands 'test coverage of at least N %'"),
    ],
)
def test_a_requirement_that_cannot_be_met_is_refused(sentence: str, reason: str) -> None:
    (problem,) = understand(["search ignores case", sentence])[1]
    assert problem.startswith("requirements[1]: ")
    assert reason in problem


@pytest.mark.parametrize(
    ("priority", "level"), [("critical", 0), ("high", 1), ("medium", 2), ("low", 3)]
)
def test_priorities_are_levels_of_the_engine(priority: str, level: int) -> None:
    assert request(priority=priority).priority_level == level

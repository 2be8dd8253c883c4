"""The tests that the scaffolder writes for one resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import quote

from examples.delivery.cases import Case, Module, case
from examples.delivery.literals import python
from examples.delivery.request import Resource
from examples.delivery.samples import Record, Violation, changed_record, valid_record, violations

_WRONG = {
    "problem": "a_record_without_a_required_field",
    "length_problem": "a_text_of_a_wrong_length",
    "pattern_problem": "a_text_of_a_wrong_form",
    "range_problem": "a_number_out_of_range",
    "choices_problem": "a_value_that_is_not_offered",
}


def resource_tests(resource: Resource) -> Module:
    """All tests of one resource, those for coverage reports included."""
    constants = [("VALID", python(valid_record(resource)))]
    if "update" in resource.operations:
        constants.append(("CHANGED", python(changed_record(resource))))
    cases = _round_trip(resource) + _limit_tests(resource) + _refusal_tests(resource)
    return Module(
        f"tests/test_{resource.name}.py",
        f"The resource {resource.name}.",
        tuple(cases),
        (("PAGE", "storage"),) if "list" in resource.operations else (),
        tuple(constants),
    )


def _round_trip(resource: Resource) -> list[Case]:
    """Tests of what a resource is there for."""
    path, can = f"/{resource.name}", set(resource.operations)
    create = f'stored = client.send("POST", "{path}", VALID).body'
    one = f"f\"{path}/{{stored['id']}}\""
    cases = [
        case(
            "test_a_record_is_stored",
            f'reply = client.send("POST", "{path}", VALID)',
            "assert reply.status == 201",
            'assert reply.body == reply.body | VALID | {"id": 1}',
        )
    ]
    if "read" in can:
        again = f'assert client.send("GET", {one}).body == stored'
        cases.append(case("test_a_record_is_read_again", create, again))
    if "list" in can:
        listed = f'assert client.send("GET", "{path}").body["items"] == [stored]'
        cases.append(case("test_a_record_is_listed", create, listed))
    if "update" in can:
        put = f'reply = client.send("PUT", {one}, CHANGED)'
        changed = "assert (reply.status, reply.body) == (200, stored | CHANGED)"
        cases.append(case("test_a_record_is_replaced", create, put, changed))
    if "delete" in can:
        gone = f'client.send("DELETE", {one}).status'
        removed = (f"assert {gone} == 204", f"assert {gone} == 404")
        cases.append(case("test_a_record_is_removed", create, *removed))
    return cases + _search_tests(resource, create)


def _search_tests(resource: Resource, create: str) -> list[Case]:
    if not resource.search:
        return []
    word = next((w for w in _words(resource, valid_record(resource))), "sample")
    path = f"/{resource.name}?search="
    store = f'client.send("POST", "/{resource.name}", VALID)'
    found = (
        f'found = client.send("GET", "{path}{quote(word)}").body["items"]',
        "assert found == [stored]",
    )
    missed = (f'assert client.send("GET", "{path}no-such-word").body["items"] == []',)
    return [
        case("test_a_record_is_found_by_a_word", create, *found),
        case("test_other_words_find_nothing", store, *missed),
    ]


def _words(resource: Resource, record: Record) -> Iterator[str]:
    for name in resource.search:
        yield from re.findall(r"\w+", str(record.get(name) or ""))


def _limit_tests(resource: Resource) -> list[Case]:
    path, can = f"/{resource.name}", set(resource.operations)
    cases = [
        case(
            f"test_{operation}_misses_what_is_not_there",
            f'assert client.send("{method}", "{path}/999"{body}).status == 404',
            f'assert client.send("{method}", "{path}/none"{body}).status == 404',
            covers=[f"crud:Crud.{operation}", "crud:Crud._number", "crud:Crud._missing"],
        )
        for operation, method, body in (
            ("read", "GET", ""),
            ("update", "PUT", ", CHANGED"),
            ("delete", "DELETE", ""),
        )
        if operation in can
    ]
    if "list" in can:
        cases += _page_tests(path)
    return cases


def _page_tests(path: str) -> Iterator[Case]:
    yield case(
        "test_a_page_after_nonsense_is_refused",
        f'assert client.send("GET", "{path}?after=nonsense").status == 400',
        covers=["crud:Crud.page"],
    )
    yield case(
        "test_a_full_page_names_the_next_one",
        "for _ in range(PAGE + 1):",
        f'    client.send("POST", "{path}", VALID)',
        f'following = client.send("GET", "{path}").body["next"]',
        f'page = client.send("GET", f"{path}?after={{following}}").body',
        'assert (len(page["items"]), page["next"]) == (1, None)',
        covers=["crud:Crud.page"],
    )


def _refusal_tests(resource: Resource) -> list[Case]:
    send = f'"POST", "/{resource.name}"'
    cases = [
        case(
            "test_an_unknown_field_is_refused",
            f'reply = client.send({send}, VALID | {{"no_such_field": 1}})',
            'assert reply.body["errors"] == {"no_such_field": "is not a field"}',
            covers=["rules:clean"],
        ),
        case(
            "test_a_body_that_is_no_json_is_refused",
            f'assert client.send({send}, b"{{").status == 400',
            f'assert client.send({send}, b"[]").status == 422',
            covers=["rules:parse"],
        ),
    ]
    by_rule = sorted(violations(resource), key=_function)
    for function, group in groupby(by_rule, key=_function):
        cases.append(_violation_test(resource, function, list(group)))
    return cases


def _violation_test(resource: Resource, function: str, group: list[Violation]) -> Case:
    # That a required field is required comes to mind at once; the rest when a report asks for it.
    first = function == "problem"
    what = _WRONG.get(function) or f"a_value_that_{function}_rejects"
    return Case(
        f"test_{what}_is_refused",
        (
            f'reply = client.send("POST", "/{resource.name}", record)',
            'assert (reply.status, list(reply.body["errors"])) == (422, [field])',
        ),
        frozenset() if first else frozenset({f"rules:{function}", "rules:problem"}),
        tuple((each.field, _as_change(each)) for each in group),
        "client: Client, field: str, record: dict[str, Any]",
    )


def _function(violation: Violation) -> str:
    """The function of the generated `rules` module that must notice the violation."""
    match violation.rule:
        case "required":
            return "problem"
        case "type":
            return f"is_{violation.kind}"
        case "email":
            return "is_email"
        case rule:
            return f"{rule}_problem"


def _as_change(violation: Violation) -> str:
    value = violation.record.get(violation.field)
    return f"VALID | {{{python(violation.field)}: {python(value)}}}"

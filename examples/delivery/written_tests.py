"""The tests that the scaffolder writes into a service.

At first it writes the tests that come to mind: each endpoint answers, each resource makes its
round trip, a missing field is refused. What a coverage report then names as untested gets tests
of its own: a case says which functions it exercises, and the report says which need exercise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from urllib.parse import quote

from examples.delivery.cases import Case, Module, case
from examples.delivery.literals import python
from examples.delivery.request import PARAMETER, DeliveryRequest, Endpoint, Resource, filled
from examples.delivery.written_record_tests import resource_tests

SAMPLE_PARAMETER = "Zoë"


def modules(request: DeliveryRequest, uncovered: AbstractSet[str]) -> list[Module]:
    """The files of tests for `request`, given which functions were found not to be covered."""
    every = [_service_tests(request)]
    if request.endpoints:
        every.append(_endpoint_tests(request.endpoints))
    every += [resource_tests(resource) for resource in request.resources]
    return [
        replace(module, cases=tuple(each for each in module.cases if each.wanted(uncovered)))
        for module in every
    ]


def _service_tests(request: DeliveryRequest) -> Module:
    cases = [
        case(
            "test_the_service_is_well",
            'reply = client.send("GET", "/health")',
            'assert (reply.status, reply.body["status"]) == (200, "ok")',
            'assert client.service.url.startswith("http://127.0.0.1:")',
        ),
        *_protocol_tests(),
    ]
    imports = [("MAX_BODY_BYTES", "server")]
    if request.resources:
        imports += [("SchemaError", "storage"), ("Storage", "storage")]
        cases.append(_schema_test(request.resources[0]))
    return Module("tests/test_service.py", "The service as a whole.", tuple(cases), tuple(imports))


def _protocol_tests() -> Iterator[Case]:
    yield case(
        "test_an_unknown_path_is_not_found",
        'assert client.send("GET", "/no/such/path").status == 404',
        covers=["router:Router.answer"],
    )
    yield case(
        "test_a_wrong_method_is_not_allowed",
        'reply = client.send("DELETE", "/health")',
        'assert (reply.status, reply.headers["Allow"]) == (405, "GET")',
        covers=["router:Router.answer", "server:Handler._send"],
    )
    yield case(
        "test_head_answers_without_a_body",
        'reply = client.send("HEAD", "/health")',
        "assert (reply.status, reply.body) == (200, None)",
        covers=["server:Handler._send", "server:Handler._request"],
    )
    yield case(
        "test_a_body_that_is_too_large_is_refused",
        'reply = client.send("POST", "/health", b"x" * (MAX_BODY_BYTES + 1))',
        "assert reply.status == 413",
        covers=["server:Handler._body"],
    )
    yield case(
        "test_a_body_needs_a_length",
        'reply = client.send("POST", "/health", None, **{"Content-Length": "many"})',
        "assert reply.status == 411",
        covers=["server:Handler._body"],
    )
    yield case(
        "test_a_failure_inside_is_answered_as_such",
        'monkeypatch.setattr(client.service, "router", None)',
        'assert client.send("GET", "/health").status == 500',
        covers=["server:Handler.serve"],
        arguments="client: Client, monkeypatch: pytest.MonkeyPatch",
    )


def _schema_test(resource: Resource) -> Case:
    return case(
        "test_a_database_of_another_form_is_not_touched",
        'database = str(tmp_path / "other.db")',
        "with closing(sqlite3.connect(database)) as other:",
        f"    other.execute('CREATE TABLE \"{resource.name}\" (id INTEGER, other TEXT)')",
        f'with pytest.raises(SchemaError, match="{resource.name}"):',
        "    Storage(database)",
        covers=["storage:Storage._prepare"],
        arguments="tmp_path: Path",
    )


def _endpoint_tests(endpoints: Sequence[Endpoint]) -> Module:
    cases = [_answer_test(index, endpoint) for index, endpoint in enumerate(endpoints)]
    imports: tuple[tuple[str, str], ...] = ()
    if any(PARAMETER.search(endpoint.path) for endpoint in endpoints):
        imports = (("filled", "endpoints"),)
        cases.append(
            case(
                "test_parts_of_the_path_reach_every_text_of_an_answer",
                'body = {"list": ["a {part}"], "number": 1}',
                'assert filled(body, {"part": "b"}) == {"list": ["a b"], "number": 1}',
                covers=["endpoints:filled"],
                arguments="",
            )
        )
    return Module(
        "tests/test_endpoints.py", "The endpoints with fixed answers.", tuple(cases), imports
    )


def _answer_test(index: int, endpoint: Endpoint) -> Case:
    words = "_".join(re.findall(r"[a-z0-9]+", endpoint.path.lower())) or "root"
    path = PARAMETER.sub(quote(SAMPLE_PARAMETER), endpoint.path)
    expected = filled(endpoint.answer.body, SAMPLE_PARAMETER)
    return case(
        f"test_{endpoint.method.lower()}_{words}_answers_as_declared_{index + 1}",
        f"reply = client.send({python(endpoint.method)}, {python(path)})",
        f"assert reply.status == {endpoint.answer.status}",
        f"assert reply.body == {python(expected)}"
        if expected is not None
        else "assert reply.body is None",
    )

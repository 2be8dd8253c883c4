"""Can this well-formed request be delivered? Every reason why not, the field first."""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterator

from pydantic import JsonValue

from examples.delivery.request import (
    PARAMETER,
    DeliveryRequest,
    Endpoint,
    Resource,
    ResourceField,
)
from examples.delivery.requirements import Expectations, understand
from examples.delivery.rules import broken_rule, broken_rules
from examples.delivery.samples import valid_value

RESERVED_PATHS = frozenset({"/health"})
RESERVED_NAMES = frozenset({"tests", "id"})
BODILESS = frozenset({204, 304})
RECORD_OVERHEAD_BYTES = 64
MAX_LITERAL_CHARACTERS = 10_000


def problems(request: DeliveryRequest) -> list[str]:
    """Return every reason why `request` cannot be delivered; none when it can."""
    expected, found = understand(request.requirements)
    found += _name_problems(request)
    found += _endpoint_problems(request)
    for index, resource in enumerate(request.resources):
        found += _resource_problems(f"resources[{index}]", resource)
        found += _size_problems(f"resources[{index}]", resource, expected)
    found += _pointless_requirements(request, expected)
    if not request.endpoints and not request.resources:
        found.append("endpoints: there is nothing to build, neither endpoints nor resources")
    return found


def _name_problems(request: DeliveryRequest) -> Iterator[str]:
    package = request.package
    taken = package in sys.stdlib_module_names or package in RESERVED_NAMES
    if taken or keyword.iskeyword(package):
        yield f"name: '{package}' cannot be a package, Python uses that name itself"
    names = Counter(resource.name for resource in request.resources)
    for name in (name for name, count in names.items() if count > 1):
        yield f"resources: '{name}' is declared {names[name]} times"


def _endpoint_problems(request: DeliveryRequest) -> Iterator[str]:
    answers: dict[tuple[str, str], int] = {}
    tables = {f"/{resource.name}": resource.name for resource in request.resources}
    for index, endpoint in enumerate(request.endpoints):
        where = f"endpoints[{index}]"
        shape = PARAMETER.sub("{}", endpoint.path)
        first = answers.setdefault((endpoint.method, shape), index)
        if first != index:
            same = "again" if endpoint == request.endpoints[first] else "with another answer"
            yield (
                f"{where}.path: {endpoint.method} {endpoint.path} is declared {same}, "
                f"endpoints[{first}] already says what it answers"
            )
        if endpoint.path in RESERVED_PATHS:
            yield f"{where}.path: {endpoint.path} is reserved, every service answers it itself"
        table = tables.get("/" + endpoint.path.split("/")[1])
        if table is not None:
            yield f"{where}.path: {endpoint.path} belongs to the resource '{table}'"
        yield from _answer_problems(where, endpoint)


def _answer_problems(where: str, endpoint: Endpoint) -> Iterator[str]:
    known = PARAMETER.findall(endpoint.path)
    for name in sorted({name for name in known if known.count(name) > 1}):
        yield f"{where}.path: the parameter '{name}' stands twice in {endpoint.path}"
    for name in sorted(set(_parameters(endpoint.answer.body)) - set(known)):
        yield f"{where}.answer.body: '{{{name}}}' is no parameter of {endpoint.path}"
    if endpoint.answer.status in BODILESS and endpoint.answer.body is not None:
        yield f"{where}.answer.body: an answer with status {endpoint.answer.status} has no body"
    if len(json.dumps(endpoint.answer.body)) > MAX_LITERAL_CHARACTERS:
        yield f"{where}.answer.body: longer than {MAX_LITERAL_CHARACTERS} characters"


def _parameters(body: JsonValue) -> Iterator[str]:
    match body:
        case str():
            yield from PARAMETER.findall(body)
        case list():
            for item in body:
                yield from _parameters(item)
        case dict():
            for item in body.values():
                yield from _parameters(item)


def _resource_problems(where: str, resource: Resource) -> Iterator[str]:
    names = [field.name for field in resource.fields]
    for index, field in enumerate(resource.fields):
        place = f"{where}.fields[{index}]"
        yield from _field_problems(place, field, has_examples=bool(resource.examples))
        if field.name in names[:index] or field.name in RESERVED_NAMES:
            yield f"{where}.fields[{index}].name: '{field.name}' is taken"
    if resource.name == "health":
        yield f"{where}.name: /health is reserved, every service answers it itself"
    if "create" not in resource.operations:
        yield f"{where}.operations: without 'create' there never is a record"
    texts = {field.name for field in resource.fields if field.type in ("text", "email")}
    for index, name in enumerate(resource.search):
        if name not in texts:
            yield f"{where}.search[{index}]: '{name}' is no text field of '{resource.name}'"
    if resource.search and "list" not in resource.operations:
        yield f"{where}.search: searching needs the operation 'list'"
    for index, example in enumerate(resource.examples):
        for name, rule in broken_rules(resource, example).items():
            yield f"{where}.examples[{index}].{name}: breaks the rule '{rule}' of the resource"


def _field_problems(where: str, field: ResourceField, *, has_examples: bool) -> Iterator[str]:
    found = list(_contradictions(where, field))
    yield from found
    if not found and not has_examples and valid_value(field) is None:
        yield f"{where}: no value was found that obeys its rules, so give an example record"


def _contradictions(where: str, field: ResourceField) -> Iterator[str]:
    is_text = field.type in ("text", "email")
    lengths = (field.min_length, field.max_length)
    if not is_text and any(rule is not None for rule in (*lengths, field.pattern)):
        yield f"{where}: lengths and patterns are for texts, '{field.name}' is {field.type}"
        return
    if None not in lengths and lengths[0] > lengths[1]:  # type: ignore[operator]
        yield f"{where}.min_length: {lengths[0]} is more than max_length {lengths[1]}"
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        yield f"{where}.minimum: {field.minimum:g} is more than maximum {field.maximum:g}"
    ranged = field.minimum is not None or field.maximum is not None
    if ranged and field.type not in ("integer", "number"):
        yield f"{where}.minimum: a range is for numbers, '{field.name}' is {field.type}"
    if field.pattern is not None and (wrong := _bad_pattern(field.pattern)):
        yield f"{where}.pattern: '{field.pattern}' is no regular expression, {wrong}"
        return
    for index, choice in enumerate(field.choices):
        if (rule := broken_rule(field, choice)) is not None:
            yield f"{where}.choices[{index}]: {choice!r} breaks the rule '{rule}' of its own field"
    if field.default is not None and (rule := broken_rule(field, field.default)) is not None:
        yield f"{where}.default: {field.default!r} breaks the rule '{rule}' of its own field"


def _bad_pattern(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None


def _size_problems(where: str, resource: Resource, expected: Expectations) -> Iterator[str]:
    for index, field in enumerate(resource.fields):
        needed = (field.max_length or 0) + RECORD_OVERHEAD_BYTES
        if needed > expected.max_body_bytes:
            yield (
                f"{where}.fields[{index}].max_length: {field.max_length} characters do not fit "
                f"into the {expected.max_body_bytes} bytes that a body may have"
            )


def _pointless_requirements(request: DeliveryRequest, expected: Expectations) -> Iterator[str]:
    if expected.survives_restart and not request.resources:
        yield "requirements: no records can survive a restart, there are no resources"
    if expected.search_ignores_case and not any(each.search for each in request.resources):
        yield "requirements: no search can ignore case, no resource has 'search' fields"

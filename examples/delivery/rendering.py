"""From a request to the files of a service."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.delivery import literals, written_tests
from examples.delivery.request import DeliveryRequest, ResourceField
from examples.delivery.requirements import expectations
from examples.delivery.results import SearchApproach

TEMPLATES = Path(__file__).with_name("templates")
ALWAYS = ("__init__", "__main__", "app", "messages", "router", "server")
WITH_ENDPOINTS = ("endpoints",)
WITH_RESOURCES = ("crud", "resources", "rules", "schema", "storage")
ROUTED = (
    ("create", "POST", "every", "create"),
    ("list", "GET", "every", "page"),
    ("read", "GET", "one", "read"),
    ("update", "PUT", "one", "update"),
    ("delete", "DELETE", "one", "delete"),
)
CHECKS = {
    "length": {"min_length", "max_length"},
    "pattern": {"pattern"},
    "range": {"minimum", "maximum"},
    "choices": {"choices"},
}


@dataclass(frozen=True)
class Approach:
    """What earlier rounds taught: how to search, and which functions need tests of their own."""

    search: SearchApproach = "like"
    uncovered: frozenset[str] = frozenset()


def render(request: DeliveryRequest, approach: Approach) -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of the service, not yet formatted."""
    known = _variables(request, approach)
    for name in _package_files(request):
        yield f"{request.package}/{name}.py", _text(f"package/{name}.py.j2", known)
    for name in ("__init__", "client", "conftest"):
        yield f"tests/{name}.py", _text(f"tests/{name}.py.j2", known)
    for module in written_tests.modules(request, approach.uncovered):
        yield module.path, _text("tests/test_module.py.j2", known | {"module": module})
    for name, template in (
        ("README.md", "README.md.j2"),
        ("pyproject.toml", "pyproject.toml.j2"),
        (".gitignore", "gitignore.j2"),
    ):
        yield name, _text(template, known)


def _package_files(request: DeliveryRequest) -> Iterator[str]:
    yield from ALWAYS
    if request.endpoints:
        yield from WITH_ENDPOINTS
    if request.resources:
        yield from WITH_RESOURCES


def _variables(request: DeliveryRequest, approach: Approach) -> dict[str, Any]:
    fields = [field for resource in request.resources for field in resource.fields]
    operations = {name for resource in request.resources for name in resource.operations}
    return {
        "request": request,
        "package": request.package,
        "resources": request.resources,
        "endpoints": request.endpoints,
        "has_parameters": any("{" in endpoint.path for endpoint in request.endpoints),
        "has_search": any(resource.search for resource in request.resources),
        "search": approach.search,
        "operations": operations,
        "routed": [row for row in ROUTED if row[0] in operations],
        "needs_numbers": bool(operations - {"create"}),
        "kinds": {field.type for field in fields},
        "rules": (rules := _rules(fields)),
        "checks": [name for name, parts in CHECKS.items() if rules & parts],
        "max_body_bytes": expectations(request.requirements).max_body_bytes,
    }


def _rules(fields: list[ResourceField]) -> AbstractSet[str]:
    """The kinds of rules that any field has; the service gets no code for the others."""
    return {
        rule
        for field in fields
        for rule in ("min_length", "max_length", "pattern", "minimum", "maximum", "choices")
        if getattr(field, rule) not in (None, ())
    }


def _text(template: str, variables: dict[str, Any]) -> str:
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> Environment:
    # Source code, not HTML, is what comes out: `literals` is the escaping.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
    for name in (
        *("python", "docstring", "comment", "prose", "cell", "grouped"),
        *("field_arguments", "operations_of", "rules_in_words"),
    ):
        environment.filters[name] = getattr(literals, name)
    return environment

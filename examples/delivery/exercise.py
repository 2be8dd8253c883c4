"""Checks of a running service over HTTP.

Every expectation here comes from the request. Nothing is read from the generated code, which may
be wrong in the same way as its tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pydantic import JsonValue

from examples.delivery import http_client
from examples.delivery.errors import NoAnswer
from examples.delivery.http_client import Reply
from examples.delivery.request import PARAMETER, DeliveryRequest, Endpoint, filled
from examples.delivery.requirements import Expectations, expectations
from examples.delivery.results import Finding

SAMPLE_PARAMETERS = ("Ada", "Zoë & Co.")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TRIES_FOR_SPEED = 3
SHOWN = 200


@dataclass
class Probe:
    """Talks to the service at `address` and keeps what was wrong."""

    address: str
    expected: Expectations
    findings: list[Finding] = field(default_factory=list)
    checks: int = 0

    @classmethod
    def of(cls, address: str, request: DeliveryRequest) -> Probe:
        """A probe that holds the service to the requirements of `request`."""
        return cls(address, expectations(request.requirements))

    def ask(self, method: str, path: str, body: JsonValue | bytes = None) -> Reply | None:
        """Send a request; an answer that does not come is a finding, and None."""
        try:
            return http_client.send(self.address, method, path, body)
        except NoAnswer as error:
            self.complain("no-answer", f"{method} {path}", str(error))
            return None

    def check(self, code: str, where: str, *, expected: Any, found: Any) -> bool:
        """Count one check; a difference is a finding."""
        self.checks += 1
        if expected == found:
            return True
        self.complain(code, where, f"expected {_shown(expected)}, found {_shown(found)}")
        return False

    def expect(
        self, method: str, path: str, body: JsonValue | bytes = None, *, status: int
    ) -> Reply | None:
        """Send a request and check the status; the answer, if the status is the expected one."""
        reply = self.ask(method, path, body)
        if reply is None:
            return None
        where = f"{method} {path}"
        return reply if self.check("status", where, expected=status, found=reply.status) else None

    def complain(self, code: str, where: str, message: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(tool="e2e", code=code, where=where, message=message))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def exercise_endpoints(probe: Probe, request: DeliveryRequest, *, only_get: bool = False) -> None:
    """Each endpoint gives its declared answer, fast enough."""
    for endpoint in request.endpoints:
        if only_get and endpoint.method != "GET":
            continue
        for value in _values(endpoint, request):
            _exercise_endpoint(probe, endpoint, value)


def _values(endpoint: Endpoint, request: DeliveryRequest) -> list[str]:
    """Values for the parameters of the path that do not make it another declared path."""
    if PARAMETER.search(endpoint.path) is None:
        return [""]
    taken = {other.path for other in request.endpoints}
    return [v for v in SAMPLE_PARAMETERS if PARAMETER.sub(quote(v), endpoint.path) not in taken]


def _exercise_endpoint(probe: Probe, endpoint: Endpoint, value: str) -> None:
    path = PARAMETER.sub(quote(value), endpoint.path)
    reply = probe.expect(endpoint.method, path, status=endpoint.answer.status)
    if reply is None:
        return
    where = f"{endpoint.method} {path}"
    declared = filled(endpoint.answer.body, value)
    if probe.check("body", where, expected=declared, found=reply.body):
        _check_speed(probe, endpoint.method, path, reply)


def _check_speed(probe: Probe, method: str, path: str, reply: Reply) -> None:
    """The best of a few answers counts, so that a busy machine is not held against the service."""
    limit = probe.expected.answer_within_ms
    if limit is None:
        return
    best = reply.took_ms
    for _ in range(TRIES_FOR_SPEED - 1):
        if best <= limit:
            break
        again = probe.ask(method, path)
        best = min(best, again.took_ms) if again else best
    probe.checks += 1
    if best > limit:
        probe.complain("slow", f"{method} {path}", f"took {best:.0f} ms, at most {limit} ms")


def exercise_manners(probe: Probe, request: DeliveryRequest) -> None:
    """Health, unknown paths, wrong methods and bodies that are too large."""
    health = probe.expect("GET", "/health", status=200)
    if health is not None and isinstance(health.body, dict):
        probe.check("health", "GET /health", expected="ok", found=health.body.get("status"))
    probe.expect("GET", "/there/is/nothing/here", status=404)
    for method, path in _undeclared(request):
        probe.expect(method, path, status=405)
    too_large = b"x" * (probe.expected.max_body_bytes + 1)
    probe.expect("POST", "/health", too_large, status=413)


def _undeclared(request: DeliveryRequest) -> Iterator[tuple[str, str]]:
    """For each declared path without parameters, one method that nobody declared for it."""
    declared: dict[str, set[str]] = {}
    for endpoint in request.endpoints:
        declared.setdefault(endpoint.path, set()).add(endpoint.method)
    patterns = [path for path in declared if PARAMETER.search(path)]
    for path, methods in declared.items():
        free = [method for method in METHODS if method not in methods]
        alone = not any(_fits(pattern, path) for pattern in patterns if pattern != path)
        if free and alone and path not in patterns:
            yield free[0], path


def _fits(pattern: str, path: str) -> bool:
    parts = (re.escape(part) for part in PARAMETER.split(pattern)[::2])
    return re.fullmatch("[^/]+".join(parts), path) is not None

"""Every route says what it lets whom do, and holds to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import Request
from fastapi.routing import APIRoute

from stagewright.domain.errors import Forbidden
from stagewright.entrypoints.api.access import (
    OWNER,
    STATE_KEY,
    Principal,
    Scope,
    needs,
    scope_of,
)
from stagewright.entrypoints.api.app import routers


def every_route() -> Iterator[APIRoute]:
    for router in routers():
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def request_by(principal: Principal) -> Request:
    return Request({"type": "http", "state": {STATE_KEY: principal}})


def test_every_route_declares_one_scope() -> None:
    routes = list(every_route())
    assert len(routes) > 15
    for route in routes:
        declared = [scope for one in route.dependencies if (scope := scope_of(one))]
        assert len(declared) == 1, f"{route.methods} {route.path} declares {declared}"


def test_a_scope_that_was_not_given_is_refused_by_name() -> None:
    check = needs(Scope.APPROVE).dependency
    reader = Principal("ann", frozenset({Scope.READ}))
    with pytest.raises(Forbidden, match=r"ann lacks the scope 'approve'"):
        check(request_by(reader))


@pytest.mark.parametrize("scope", list(Scope))
def test_admin_includes_every_scope(scope: Scope) -> None:
    needs(scope).dependency(request_by(OWNER))


def test_an_agents_key_works_as_the_agents_it_names() -> None:
    worker = Principal("ci", frozenset({Scope.AGENT}), frozenset({"build"}))
    assert worker.may_work_as("build")
    assert not worker.may_work_as("deploy")
    assert Principal("any", frozenset({Scope.AGENT}), frozenset({"*"})).may_work_as("deploy")

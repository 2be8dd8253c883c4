"""Every route says what it lets whom do, and holds to it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import get_args

import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from stagewright.domain.errors import Forbidden, Unauthorized
from stagewright.entrypoints.api.access import (
    GIVEN,
    NOBODY,
    OWNER,
    STATE_KEY,
    Principal,
    Scope,
    needs,
    scope_of,
)
from stagewright.entrypoints.api.app import PREFIX, public_routes, routed
from stagewright.entrypoints.web.app import mount
from stagewright.ports.keys import ScopeName


def application() -> FastAPI:
    """The whole server: the interface, and the pages beside it."""
    app = routed()
    mount(app)
    return app


def every_route() -> Iterator[APIRoute | APIWebSocketRoute]:
    for context in iter_route_contexts(application().routes):
        if isinstance(context.route, (APIRoute, APIWebSocketRoute)):
            yield context.route


def request_by(principal: Principal) -> Request:
    return Request({"type": "http", "state": {STATE_KEY: principal}})


def test_every_route_declares_one_scope() -> None:
    routes = list(every_route())
    assert len(routes) > 15
    for route in routes:
        declared = [scope for one in route.dependencies if (scope := scope_of(one))]
        assert len(declared) == 1, f"{route.path} declares {declared}"


def test_only_what_supervisors_ask_and_signing_in_need_no_key() -> None:
    probes = {("GET", path) for path in ("/livez", "/readyz", "/metrics")}
    signing_in = {("POST", f"{PREFIX}/session"), ("GET", "/sign-in")}
    files = {("GET", "/static/{digest}/{path:path}")}
    assert public_routes(application()) == probes | signing_in | files


async def test_a_scope_that_was_not_given_is_refused_by_name() -> None:
    check = needs(Scope.APPROVE).dependency
    reader = Principal("ann", frozenset({Scope.READ}))
    with pytest.raises(Forbidden, match=r"ann lacks the scope 'approve'"):
        await check(request_by(reader))


@pytest.mark.parametrize("scope", list(Scope))
async def test_admin_includes_every_scope(scope: Scope) -> None:
    await needs(scope).dependency(request_by(OWNER))


async def test_a_stranger_is_asked_for_a_key_and_sees_what_is_public() -> None:
    await needs(Scope.PUBLIC).dependency(request_by(NOBODY))
    for scope in set(Scope) - {Scope.PUBLIC}:
        with pytest.raises(Unauthorized):
            await needs(scope).dependency(request_by(NOBODY))


def test_keys_are_given_the_scopes_that_routes_ask_for() -> None:
    assert set(get_args(ScopeName)) == {scope.value for scope in GIVEN}


def test_nothing_that_routes_depend_on_takes_a_detour_through_a_thread() -> None:
    for route in every_route():
        waiting = list(route.dependant.dependencies)
        while waiting:
            one = waiting.pop()
            assert inspect.iscoroutinefunction(one.call), f"{route.path}: {one.call}"
            waiting += one.dependencies


def test_an_agents_key_works_as_the_agents_it_names() -> None:
    worker = Principal("ci", frozenset({Scope.AGENT}), frozenset({"build"}))
    assert worker.may_work_as("build")
    assert not worker.may_work_as("deploy")
    assert Principal("any", frozenset({Scope.AGENT}), frozenset({"*"})).may_work_as("deploy")

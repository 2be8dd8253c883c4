"""Every route, asked by everybody: taken from the routers, so a new route is in it by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from stagewright.entrypoints.api.access import GIVEN, Scope, scope_of
from stagewright.entrypoints.api.app import PREFIX, routed
from stagewright.entrypoints.web.app import mount
from tests.unit.entrypoints.api.house import TOKEN, House, house

UNKNOWN = "p00-0192f0c4a3b27e518c2a5d7e9f00aa11"
SCOPES = sorted(GIVEN)


@dataclass(frozen=True)
class Asked:
    """One route and method."""

    method: str
    path: str
    scope: Scope

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def admits(self, given: str) -> bool:
        """Whether a key with this one scope may come."""
        return self.scope in {Scope.PUBLIC, Scope.KNOWN, given} or given == "admin"


def every_route() -> Iterator[Asked]:
    app = routed()
    mount(app)
    for context in iter_route_contexts(app.routes):
        route = context.route
        if not isinstance(route, APIRoute | APIWebSocketRoute):
            continue
        (scope,) = filter(None, map(scope_of, route.dependencies))
        path = re.sub(r"\{[^}]+\}", UNKNOWN, context.path or "")
        methods = route.methods if isinstance(route, APIRoute) else {"WEBSOCKET"}
        yield from (Asked(method, path, scope) for method in sorted(methods or ()))


ROUTES = list(every_route())


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[House]:
    async with house() as opened:
        yield opened


@pytest.fixture(scope="module")
async def secrets(served: House) -> dict[str, str]:
    """A key for each scope, by its name."""
    made = {}
    for scope in SCOPES:
        agents = ("build",) if scope == "agent" else ()
        made[scope] = (await served.key(scope, name=f"only-{scope}", agents=agents)).secret
    return made


@pytest.fixture(scope="module")
async def session(served: House) -> tuple[str, str]:
    """A session of the owner: its `Cookie` header and the proof of its pages."""
    return await served.signed_in(TOKEN)


@pytest.mark.parametrize("asked", ROUTES, ids=str)
async def test_a_route_admits_the_scope_it_names_and_no_other(
    served: House, secrets: dict[str, str], asked: Asked
) -> None:
    for scope, secret in secrets.items():
        answer = await served.ask(asked.method, asked.path, bearer=secret, only_head=True)
        assert answer.refused is not asked.admits(scope), f"{scope}: {answer}"
        assert answer.status != 401, f"{scope}: {answer}"
    owners = await served.ask(asked.method, asked.path, bearer=TOKEN, only_head=True)
    assert not owners.refused


@pytest.mark.parametrize("asked", ROUTES, ids=str)
async def test_a_route_that_is_not_public_is_closed_without_a_key_in_force(
    served: House, asked: Asked
) -> None:
    shown = [None, "", "sw_" + "x" * 43, await served.expired_key(), await served.revoked_key()]
    for secret in shown:
        answer = await served.ask(asked.method, asked.path, bearer=secret, only_head=True)
        if asked.scope is Scope.PUBLIC:
            assert not (asked.method == "GET" and answer.refused), answer
        else:
            assert answer.status == 401, f"{secret}: {answer}"
            assert answer.headers["www-authenticate"] == "Bearer"


async def fresh_key(served: House) -> str:
    return (await served.key("admin", name="root")).secret


@pytest.mark.parametrize("asked", ROUTES, ids=str)
async def test_a_session_may_what_its_key_may_and_changes_nothing_without_its_page(
    served: House, asked: Asked
) -> None:
    cookie, csrf = await served.signed_in(await fresh_key(served))
    own = {"cookie": cookie, "origin": "http://127.0.0.1:4000"}
    proof = {**own, "x-csrf-token": csrf}
    proven = await served.ask(asked.method, asked.path, headers=proof, only_head=True)
    assert not proven.refused
    if asked.path.endswith("/session") or asked.method == "WEBSOCKET":
        return
    bare = await served.ask(asked.method, asked.path, headers=own, only_head=True)
    wrong = await served.ask(asked.method, asked.path, headers={**own, "x-csrf-token": "0" * 64})
    assert [bare.status == 403, wrong.status == 403] == [asked.method != "GET"] * 2


@pytest.mark.parametrize("asked", ROUTES, ids=str)
@pytest.mark.parametrize(
    "sent",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
async def test_no_route_answers_a_page_of_another_site(
    served: House, session: tuple[str, str], asked: Asked, sent: dict[str, str]
) -> None:
    cookie, csrf = session
    for proof in ({}, {"authorization": f"Bearer {TOKEN}"}, {"cookie": cookie}):
        headers = {"x-csrf-token": csrf, **proof, **sent}
        answer = await served.ask(asked.method, asked.path, headers=headers)
        assert answer.status == 403, f"{proof}: {answer}"


FOR_STRANGERS = {
    f"POST {PREFIX}/session",
    *(f"GET /{path}" for path in ("livez", "readyz", "metrics", "sign-in")),
    f"GET /static/{UNKNOWN}/{UNKNOWN}",
}
"""Whoever adds a route for everybody says so here, too."""


def test_strangers_see_only_what_is_meant_for_them() -> None:
    assert {str(one) for one in ROUTES if one.scope is Scope.PUBLIC} == FOR_STRANGERS


@pytest.mark.parametrize("asked", ROUTES, ids=str)
def test_whoever_may_only_look_changes_nothing_and_sees_no_keys(asked: Asked) -> None:
    if asked.path.startswith((f"{PREFIX}/keys", f"{PREFIX}/audit")):
        assert asked.scope is Scope.ADMIN
    if asked.method not in {"GET", "WEBSOCKET"}:
        assert asked.scope is not Scope.READ


def test_the_matrix_is_not_empty() -> None:
    assert len(ROUTES) > 20
    assert {asked.scope for asked in ROUTES} >= {Scope.PUBLIC, Scope.KNOWN, Scope.ADMIN}

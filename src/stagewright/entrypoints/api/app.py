"""The application behind the door: routes, and errors as problem documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from stagewright.adapters.http.problems import MEDIA_TYPE, encode_problem, status_of
from stagewright.application.gate import Gate, TokenGate
from stagewright.domain.errors import (
    Forbidden,
    NotFound,
    StagewrightError,
    UsageError,
    ValidationFailed,
)
from stagewright.domain.places import At
from stagewright.entrypoints.api import (
    agent_desk,
    agent_tasks,
    agents,
    approvals,
    audit,
    bulk,
    commands,
    dead_letters,
    definitions,
    events,
    keys,
    probes,
    session,
    sockets,
    system,
    workflows,
)
from stagewright.entrypoints.api.access import Scope as Needed
from stagewright.entrypoints.api.access import principal_of, scope_of
from stagewright.entrypoints.api.bounds import App, Scope
from stagewright.entrypoints.api.door import PREFIX, Door
from stagewright.entrypoints.api.guard import Guard
from stagewright.entrypoints.api.metrics import Metrics
from stagewright.entrypoints.api.rules import SAFE_METHODS

_NOT_FOUND = 404
PARTS = (
    events,
    sockets,
    workflows,
    commands,
    bulk,
    approvals,
    definitions,
    agents,
    agent_desk,
    agent_tasks,
    dead_letters,
    system,
    keys,
    session,
    audit,
)


def create_app(door: Door, mount: Callable[[FastAPI], None] | None = None) -> App:
    """Return the ASGI application, guarded; `mount` adds the pages that stand beside the API."""
    app = routed()
    app.state.door, app.state.metrics = door, Metrics()
    if mount is not None:
        mount(app)
    return Guard(
        app, _gate(door), door.rules, _public(door.rules.open_prefixes, public_routes(app))
    )


def routed() -> FastAPI:
    """Return the routes and what answers errors, with nothing behind them yet."""
    app = FastAPI(title="Stagewright", docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers():
        app.include_router(router, prefix=PREFIX)
    app.include_router(probes.router)
    app.state.error_page = None
    app.add_exception_handler(StagewrightError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)
    return app


def _gate(door: Door) -> Gate | TokenGate:
    gate = TokenGate() if door.access is None else door.access.gate
    gate.admit_owner(door.token)
    return gate


def _public(prefixes: tuple[str, ...], routes: set[tuple[str, str]]) -> Callable[[Scope], bool]:
    """Return what tells requests for routes that say they are for everybody."""

    def public(scope: Scope) -> bool:
        return (scope.get("method"), scope["path"]) in routes or (
            scope.get("method") in SAFE_METHODS and scope["path"].startswith(prefixes)
        )

    return public


def routers() -> list[APIRouter]:
    """Return the routers of all parts."""
    return [part.router for part in PARTS]


def public_routes(app: FastAPI) -> set[tuple[str, str]]:
    """Return method and path of the routes that say they are for everybody."""
    return {
        (method, context.path or "")
        for context in iter_route_contexts(app.routes)
        if isinstance(route := context.route, APIRoute)
        and Needed.PUBLIC in map(scope_of, route.dependencies)
        for method in route.methods or ()
    }


def problem_response(error: StagewrightError, status: int | None = None) -> Response:
    """Return an error as a response."""
    return Response(
        encode_problem(error, status), status or status_of(error), media_type=MEDIA_TYPE
    )


async def _known(connection: HTTPConnection, error: Exception) -> Any:
    """Answer a request, or refuse a WebSocket, which wants no answer back."""
    known = error if isinstance(error, StagewrightError) else StagewrightError()
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(problem_response(known))
        return None
    request = Request(connection.scope)
    if isinstance(known, Forbidden) and request.method not in SAFE_METHODS:
        await _note_refusal(request, known)
    return _answer(request, known)


async def _note_refusal(request: Request, error: Forbidden) -> None:
    """Write down that somebody tried to change what they may not."""
    door: Door = request.app.state.door
    if door.access is not None:
        actor = principal_of(request).actor()
        await door.access.trail.refused(actor, request.method, request.url.path, error)


def _answer(request: Request, error: StagewrightError, status: int | None = None) -> Response:
    """Return an error as a document, or as a page where people look at it."""
    page = request.app.state.error_page
    answer: Response | None = page and page(request, error, status)
    return answer or problem_response(error, status)


async def _invalid(request: Request, error: Exception) -> Response:
    found: Sequence[Any] = getattr(error, "errors", list)()
    return _answer(
        request,
        ValidationFailed(
            "The request does not have the agreed shape.", problems=[_line(e) for e in found]
        ),
    )


async def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == _NOT_FOUND:
        return _answer(request, NotFound("address", request.url.path))
    answer = _answer(request, UsageError(str(getattr(error, "detail", error))), status)
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer without the error's text, which may hold payloads; the log has its place."""
    structlog.get_logger().error("request_failed", path=request.url.path, error=repr(error))
    return _answer(
        request,
        StagewrightError(
            f"The server failed: {type(error).__name__}.", remedy="See the server's log."
        ),
    )


def _line(error: dict[str, Any]) -> At:
    """Return what is wrong with a field of the body, or with a parameter by its name."""
    path = [part for part in error.get("loc", ()) if part != "body"]
    if path[:1] in (["query"], ["path"], ["header"]):
        path = path[1:]
    return At.field(path, str(error["msg"]))

"""The application behind the door: routes, and errors as problem documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from stagewright.adapters.http.problems import MEDIA_TYPE, encode_problem, status_of
from stagewright.domain.errors import NotFound, StagewrightError, UsageError, ValidationFailed
from stagewright.entrypoints.api import dead_letters, definitions, system, workflows
from stagewright.entrypoints.api.door import PREFIX, Door
from stagewright.entrypoints.api.guard import App, Guard

_NOT_FOUND = 404


def create_app(door: Door) -> App:
    """Return the ASGI application, guarded."""
    app = FastAPI(title="Stagewright", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.door = door
    for router in routers():
        app.include_router(router, prefix=PREFIX)
    app.add_exception_handler(StagewrightError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)
    return Guard(app, door.token)


def routers() -> list[APIRouter]:
    """Return the routers of all parts."""
    return [part.router for part in (workflows, definitions, dead_letters, system)]


def problem_response(error: StagewrightError, status: int | None = None) -> Response:
    """Return an error as a response."""
    return Response(
        encode_problem(error, status), status or status_of(error), media_type=MEDIA_TYPE
    )


async def _known(_: Request, error: Exception) -> Response:
    return problem_response(error if isinstance(error, StagewrightError) else StagewrightError())


async def _invalid(_: Request, error: Exception) -> Response:
    found: Sequence[Any] = getattr(error, "errors", list)()
    return problem_response(
        ValidationFailed(
            "The request does not have the agreed shape.", problems=[_line(e) for e in found]
        )
    )


async def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == _NOT_FOUND:
        return problem_response(NotFound("address", request.url.path))
    return problem_response(UsageError(str(getattr(error, "detail", error))), status)


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer without the error's text, which may hold payloads; the log has its place."""
    structlog.get_logger().error("request_failed", path=request.url.path, error=repr(error))
    return problem_response(
        StagewrightError(
            f"The server failed: {type(error).__name__}.", remedy="See the server's log."
        )
    )


def _line(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error.get("loc", ()) if part != "body")
    return f"{where}: {error['msg']}" if where else str(error["msg"])

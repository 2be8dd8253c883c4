"""The dashboard mounted beside the API: its routers, and errors as pages and fragments."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

from stagewright.adapters.http.problems import status_of
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import StagewrightError
from stagewright.entrypoints.api.door import PREFIX
from stagewright.entrypoints.web import (
    actions,
    activity,
    agents,
    approvals,
    dead_letters,
    definitions,
    palette,
    sign_in,
    stages,
    static_files,
    system,
    workflow,
    workflows,
)
from stagewright.entrypoints.web.assets import assets
from stagewright.entrypoints.web.rendering import fragment, page

SIGN_IN = "/sign-in"


def mount(app: FastAPI) -> None:
    """Add the dashboard to an application; ConfigurationError when files of it are missing."""
    assets()
    app.state.clock = SystemClock()
    app.state.error_page = error_response
    for router in (*routers(), *public_routers()):
        app.include_router(router)


def routers() -> list[APIRouter]:
    """Return the routers of all screens; each route declares its scope."""
    parts = (activity, workflow, workflows, stages, actions, approvals, definitions, agents)
    return [part.router for part in (*parts, dead_letters, system, palette)]


def public_routers() -> list[APIRouter]:
    """Return the routers that nobody needs a key for: static files and the page to sign in."""
    return [static_files.router, sign_in.router]


def for_people(request: Request) -> bool:
    """Return whether the answer to a request is looked at by people: all but the API."""
    return not request.url.path.startswith((PREFIX, "/livez", "/readyz", "/metrics"))


def error_response(
    request: Request, error: StagewrightError, status: int | None = None
) -> HTMLResponse | None:
    """Return an error as a page, for an action as a message beside it; None for the API."""
    if not for_people(request):
        return None
    status = status or status_of(error)
    context = {"title": "Error", "nav": "", "error": error, "status": status}
    if request.headers.get("hx-request-type") != "partial":
        return page(request, "error.html", context, status=status)
    target = request.headers.get("hx-target", "")
    beside = target.endswith(("-problem", "form-errors"))
    place = {} if beside else {"hx-retarget": "#toasts", "hx-reswap": "beforeend"}
    return fragment(request, "fragments/problem.html", context, status=status, headers=place)

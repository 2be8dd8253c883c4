"""The page to sign in with an API key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from stagewright.entrypoints.api.access import Scope, needs
from stagewright.entrypoints.web.rendering import page

router = APIRouter(include_in_schema=False)


def safe_path(path: str) -> str:
    """Return where to go after signing in: a path of this server, else the first page."""
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if inside and path.isprintable() else "/"


@router.get("/sign-in", dependencies=[needs(Scope.PUBLIC)])
async def sign_in(
    request: Request,
    to: Annotated[str, Query(max_length=2_000)] = "/",
) -> Response:
    """Return the page."""
    context = {"title": "Sign in", "nav": "", "to": safe_path(to)}
    return page(request, "sign_in.html", context)

"""Routes of a browser's session: made from a key, kept in a cookie that no script can read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from stagewright.application.gate import OpenSession
from stagewright.domain.errors import Unauthorized
from stagewright.entrypoints.api.access import (
    Principal,
    Scope,
    ThePrincipal,
    needs,
    principal_from,
)
from stagewright.entrypoints.api.credentials import cookie_of, csrf_of, session_in
from stagewright.entrypoints.api.dependencies import TheAccess
from stagewright.entrypoints.api.guard import SESSION_KEY

router = APIRouter(prefix="/session", tags=["session"])


class SignIn(BaseModel):
    """A key to make a session from."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(min_length=1, max_length=200)


class SessionView(BaseModel):
    """Who is asking."""

    name: str
    scopes: list[str]
    agents: list[str] = []
    groups: list[str] = []
    expires_at_ms: int | None = None
    """End of the browser's session; None for whoever shows a key with each request."""
    csrf_token: str | None = None
    """What changes by this session send as `X-CSRF-Token`."""


@router.post("", status_code=201, dependencies=[needs(Scope.PUBLIC)])
async def sign_in(
    access: TheAccess, given: SignIn, request: Request, response: Response
) -> SessionView:
    """Make a session from a key, for 12 hours or as long as the key is in force."""
    session = await access.gate.sign_in(given.key.get_secret_value())
    if session is None:
        raise Unauthorized("The key is not one that is in force.")
    set_session(response, request, session)
    return _view(principal_from(session.holder), session)


@router.get("", dependencies=[needs(Scope.KNOWN)])
async def who(principal: ThePrincipal, request: Request) -> SessionView:
    """Return who asks, and what they may do."""
    return _view(principal, request.scope["state"].get(SESSION_KEY))


@router.delete("", status_code=204, dependencies=[needs(Scope.KNOWN)])
async def sign_out(access: TheAccess, request: Request) -> Response:
    """End the session, here and on all other servers."""
    token = session_in(dict(request.scope["headers"]))
    if token is not None:
        await access.gate.sign_out(token)
    response = Response(status_code=204)
    response.headers["set-cookie"] = cookie_of("", 0, https=_https(request))
    return response


def set_session(response: Response, request: Request, session: OpenSession) -> None:
    """Give the browser its session."""
    opened_s = max(1, round((session.expires_at_ms - session.opened_at_ms) / 1000))
    response.headers["set-cookie"] = cookie_of(session.token, opened_s, https=_https(request))


def _https(request: Request) -> bool:
    return request.url.scheme == "https"


def _view(principal: Principal, session: OpenSession | None) -> SessionView:
    return SessionView(
        name=principal.name,
        scopes=sorted(principal.scopes),
        agents=sorted(principal.agents),
        groups=list(principal.groups),
        expires_at_ms=None if session is None else session.expires_at_ms,
        csrf_token=None if session is None else csrf_of(session.token),
    )

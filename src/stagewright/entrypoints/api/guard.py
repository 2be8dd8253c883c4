"""Who may come in, with what: every request passes here before a route sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stagewright.adapters.http.problems import MEDIA_TYPE, encode_problem, status_of
from stagewright.application.gate import Gate, TokenGate
from stagewright.domain.errors import ForeignRequest, StagewrightError, Unauthorized
from stagewright.entrypoints.api import bounds, rules
from stagewright.entrypoints.api.access import (
    DEVELOPER,
    NOBODY,
    STATE_KEY,
    Principal,
    principal_from,
)
from stagewright.entrypoints.api.bounds import App, Incoming, Receive, Scope, Send
from stagewright.entrypoints.api.credentials import csrf_of, proves_page, secret_in, session_in
from stagewright.entrypoints.api.door import PREFIX
from stagewright.entrypoints.api.headers import with_headers
from stagewright.entrypoints.api.rules import SAFE_METHODS, Headers, Rules
from stagewright.entrypoints.api.streams import Streaming

SESSION_KEY, CSRF_KEY = "session", "csrf_token"
UNAUTHORIZED = 401
_SEE_OTHER = 303
_STATUSES: dict[type[StagewrightError], int] = {
    bounds.EncodedBody: bounds.UNSUPPORTED,
    bounds.SlowBody: bounds.REQUEST_TIMEOUT,
}


class Guard:
    """Answers strangers itself, as problem documents; hands all others on.

    `public` says which requests need no key. Whoever is handed on stands in the request's state:
    `principal`, and for a browser's session `session` and `csrf_token`.
    """

    def __init__(
        self, app: App, gate: Gate | TokenGate, rules_: Rules, public: Callable[[Scope], bool]
    ) -> None:
        self._app, self._gate, self._rules, self._public = app, gate, rules_, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, or one WebSocket's opening."""
        scope.setdefault("state", {})
        if scope["type"] == "http":
            await self._request(scope, receive, with_headers(scope, send))
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, incoming = dict(scope["headers"]), Incoming(receive)
        try:
            bounds.check_headers(scope["headers"])
            rules.check_host(headers, self._rules)
            rules.check_origin(headers, scope["method"], scope["path"], PREFIX)
            bounds.check_announced(headers, scope["path"])
            scope["state"][STATE_KEY] = await self._principal(scope, headers)
            body = await bounds.read_body(headers, scope["path"], incoming.receive)
        except StagewrightError as error:
            await self._refuse(error, scope, headers, incoming, send)
            return
        await self._answered(scope, headers, bounds.replayed(body, receive), send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            bounds.check_headers(scope["headers"])
            rules.check_host(headers, self._rules)
            rules.check_origin(headers, "CONNECT", scope["path"], PREFIX)
            scope["state"][STATE_KEY] = await self._principal(scope, headers)
        except StagewrightError as error:
            await _refuse_socket(scope, send, error)
            return
        await self._answered(scope, headers, receive, send)

    async def _answered(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        streaming = Streaming(lambda: self._principal(scope, headers), send)
        await streaming.run(lambda sending: self._app(scope, receive, sending))

    async def _principal(self, scope: Scope, headers: Headers) -> Principal:
        """Return who asks. What is shown must be valid; only those who show nothing are nobody."""
        method = scope.get("method", "GET")
        if self._public(scope):
            return NOBODY
        secret = secret_in(headers)
        if secret is not None:
            holder = await self._gate.by_secret(secret)
            if holder is None:
                raise Unauthorized("The key is not one that is in force.")
            return principal_from(holder)
        found = await self._by_session(scope, headers, method)
        if found is None and self._rules.development:
            rules.check_user(headers, method)
            found = DEVELOPER
        if found is None:
            raise Unauthorized
        return found

    async def _by_session(self, scope: Scope, headers: Headers, method: str) -> Principal | None:
        token = session_in(headers)
        session = await self._gate.by_session(token) if token else None
        if session is None:
            return None
        if scope["type"] == "websocket" and b"origin" not in headers:
            raise ForeignRequest("A session opens a WebSocket from a page of this server only.")
        if method not in SAFE_METHODS and not proves_page(headers, session.token):
            raise ForeignRequest(
                "A change by a browser's session needs the token of its page.",
                remedy="Send `X-CSRF-Token` with the `csrf_token` of `GET /api/v1/session`.",
            )
        scope["state"].update({SESSION_KEY: session, CSRF_KEY: csrf_of(session.token)})
        return principal_from(session.holder)

    async def _refuse(
        self,
        error: StagewrightError,
        scope: Scope,
        headers: Headers,
        incoming: Incoming,
        send: Send,
    ) -> None:
        page = b"text/html" in headers.get(b"accept", b"") and not scope["path"].startswith(PREFIX)
        if isinstance(error, Unauthorized) and self._rules.sign_in and page:
            await _answer(send, _SEE_OTHER, b"", [(b"location", self._rules.sign_in.encode())])
            return
        status = _STATUSES.get(type(error)) or status_of(error)
        await _answer(send, status, encode_problem(error, status), _headers_of(status), incoming)


def _headers_of(status: int) -> list[tuple[bytes, bytes]]:
    found = [(b"content-type", MEDIA_TYPE.encode())]
    return [*found, (b"www-authenticate", b"Bearer")] if status == UNAUTHORIZED else found


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
    incoming: Incoming | None = None,
) -> None:
    """Answer, then take what is still on its way: the connection serves no other request."""
    more = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if incoming is not None:
        await incoming.drain()
    await send({"type": "http.response.body", "body": b""})


async def _refuse_socket(scope: Scope, send: Send, error: StagewrightError) -> None:
    """Refuse with a status where the server can say one, else by closing."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:100]})
        return
    status = status_of(error)
    started: dict[str, Any] = {
        "type": "websocket.http.response.start",
        "status": status,
        "headers": _headers_of(status),
    }
    await send(started)
    await send({"type": "websocket.http.response.body", "body": encode_problem(error, status)})

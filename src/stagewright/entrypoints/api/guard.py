"""Who may come in: this machine, with the token, and with a body of bounded size."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stagewright.adapters.http.problems import MEDIA_TYPE, encode_problem, status_of
from stagewright.domain.errors import ConfigurationError, LimitExceeded, StagewrightError
from stagewright.entrypoints.api.access import OWNER, STATE_KEY

BODY_LIMIT_BYTES = 1_048_576
UNAUTHORIZED, FORBIDDEN = 401, 403
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Answers strangers itself, as problem documents; hands all others on.

    The Host check keeps a web page from reaching the door under a name of its own.
    """

    def __init__(self, app: App, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        try:
            body = await _read(receive, int(headers.get(b"content-length", b"0") or 0))
        except LimitExceeded as error:
            await _answer(send, error, status_of(error))
            return
        scope.setdefault("state", {})[STATE_KEY] = OWNER
        await self._app(scope, _replayed(body, receive), send)

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[StagewrightError, int] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if _name_of(host) not in _HOSTS:
            found = ConfigurationError(
                "host",
                f"This interface does not answer to the name {host!r}.",
                remedy="Use its loopback address.",
            )
            return found, FORBIDDEN
        if secrets.compare_digest(headers.get(b"authorization", b""), self._expected):
            return None
        wrong = ConfigurationError(
            "token",
            "The token is missing or wrong.",
            remedy="Send the token from the owner's lock file as `Authorization: Bearer TOKEN`.",
        )
        return wrong, UNAUTHORIZED


def _name_of(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host


async def _read(receive: Receive, announced: int) -> bytes:
    """Read the body whole, at most the limit; never more than one chunk beyond it."""
    chunks: list[bytes] = []
    size = announced
    while size <= BODY_LIMIT_BYTES:
        message = await receive()
        chunks.append(message.get("body", b""))
        size = max(size, sum(map(len, chunks)))
        if not message.get("more_body", False):
            break
    if size > BODY_LIMIT_BYTES:
        raise LimitExceeded("Request body in bytes", found=size, limit=BODY_LIMIT_BYTES)
    return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    pending = [body]

    async def again() -> MutableMapping[str, Any]:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def _answer(send: Send, error: StagewrightError, status: int) -> None:
    body = encode_problem(error, status)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        # An oversize body is left unread, so the connection cannot serve another request.
        (b"connection", b"close"),
    ]
    if status == UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

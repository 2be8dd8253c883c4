"""The assistant's server over streamable HTTP: on loopback, for whoever has its token."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import MCPServer

from stagewright.entrypoints.api.bounds import App, Receive, Scope, Send
from stagewright.entrypoints.api.server import address_of, bind, serving

PATH = "/mcp"
_UNAUTHORIZED = 401


class TokenOnly:
    """Lets in who sends the token. Host and Origin are checked by the server itself."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] != "http" or secrets.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
        start = {"type": "http.response.start", "status": _UNAUTHORIZED, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving_http(server: MCPServer[Any], port: int, token: str) -> AsyncIterator[str]:
    """Serve on a loopback port (0: any) until the block is left; yields the address."""
    listener = bind(port)
    app: Any = server.streamable_http_app(streamable_http_path=PATH)
    async with server.session_manager.run(), serving(TokenOnly(app, token), listener):
        yield address_of(listener) + PATH

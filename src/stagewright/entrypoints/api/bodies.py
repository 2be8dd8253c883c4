"""Bodies of requests: JSON, bounded before it is parsed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from stagewright.domain.bounded_json import parse
from stagewright.entrypoints.api.bounds import BODY_LIMIT_BYTES


class _Parsed(Request):
    """A request whose JSON was parsed by our rules before anybody asks for it."""

    parsed: Any = None

    async def json(self) -> Any:
        """Return what was parsed."""
        return self.parsed


class BoundedRoute(APIRoute):
    """Refuses JSON that is nested too deeply, holds a key twice, or numbers that nobody can write.

    What a route takes as bytes, it declares by taking the request itself.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the body parsed in front of it."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None

        async def bounded(request: Request) -> Response:
            if takes_json:
                request = _Parsed(request.scope, request.receive)
                body = await request.body()
                if body and "json" in request.headers.get("content-type", ""):
                    request.parsed = parse(body, max_bytes=BODY_LIMIT_BYTES)
            return await handle(request)

        return bounded

"""One HTTP connection to a control interface."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson

from stagewright.adapters.http.problems import error_of
from stagewright.domain.errors import OutcomeUnknown, Unreachable

PREFIX = "/api/v1"
_TIMEOUT = httpx2.Timeout(60.0, connect=5.0)
_STREAMING = httpx2.Timeout(60.0, connect=5.0, read=45.0)
"""A stream has a heartbeat every 15 seconds: after three that did not come it is broken."""
_NOTHING, _ERRORS_FROM = 204, 400


class DoorClient:
    """Sends requests with the token, and raises what the server answers as the error it was.

    Nothing is repeated here: a request that may have been executed raises OutcomeUnknown.
    """

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self.address = str(http.base_url).rstrip("/")

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """Read; Unreachable when no answer comes."""
        given = {k: v for k, v in (parameters or {}).items() if v is not None}
        try:
            answer = await self._http.get(PREFIX + path, params=given)
        except httpx2.TransportError as error:
            raise Unreachable(self.address, _why(error)) from error
        return _body(answer)

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Change; Unreachable when it surely did not arrive, OutcomeUnknown when it may have."""
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            answer = await self._http.request(method, PREFIX + path, content=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Unreachable(self.address, _why(error)) from error
        except httpx2.TransportError as error:
            raise OutcomeUnknown(self.address, _why(error)) from error
        return _body(answer)

    async def events(
        self, path: str, parameters: Mapping[str, Any], after: str | None
    ) -> AsyncGenerator[httpx2.ServerSentEvent]:
        """Yield server-sent events until the server ends them; Unreachable when they break off."""
        given = {k: v for k, v in parameters.items() if v not in (None, [])}
        headers = {"last-event-id": after} if after else {}
        stream = self._http.sse(
            PREFIX + path, params=given, headers=headers, timeout=_STREAMING, max_event_size=None
        )
        try:
            async with stream as events:
                if events.response.status_code >= _ERRORS_FROM:
                    await events.response.aread()
                    _body(events.response)
                if events.response.status_code != _NOTHING:
                    async for event in events:
                        yield event
        except httpx2.TransportError as error:
            raise Unreachable(self.address, _why(error)) from error


@asynccontextmanager
async def open_door(
    address: str, token: str, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[DoorClient]:
    """Connect to `address` (`http://HOST:PORT`). Proxies of the environment are not asked."""
    async with httpx2.AsyncClient(
        base_url=address,
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=_TIMEOUT,
        trust_env=False,
        transport=transport,
    ) as http:
        yield DoorClient(http)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _body(answer: httpx2.Response) -> bytes:
    if answer.status_code < _ERRORS_FROM:
        return answer.content
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        document = None
    raise error_of(document if isinstance(document, dict) else {}, answer.status_code)

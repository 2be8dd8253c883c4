"""The HTTP server, run inside the owner's event loop. Signals stay with the owner."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.api.bounds import App

LOOPBACK = "127.0.0.1"
HEAD_S = 10.0
"""A connection whose next request line and headers are not there by then is closed."""
_STOP_S = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process that runs this decides when to stop."""
        yield


class _Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at run time
    """Closes connections that never come to their request, or let it trickle.

    The server's own limit for idle connections begins anew with each byte.
    """

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
        self._head_due = self.loop.call_later(HEAD_S, self._close_idle)

    def _close_idle(self) -> None:
        """Close unless a request is being answered, or a WebSocket has taken the connection."""
        mine = self.transport.get_protocol() is self
        if mine and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def bind(port: int, host: str = LOOPBACK) -> socket.socket:
    """Return a socket that listens on `port` (0: any); ConfigurationError when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            "port", f"{port} cannot be used: {error.strerror}.", remedy="Choose another, or 0."
        ) from error
    listener.listen(1_024)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `http://HOST:PORT`; loopback for a socket that listens everywhere."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = LOOPBACK if listener.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; ConfigurationError for what is none."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise ConfigurationError(
            "host", f"{host!r} is not an IP address.", remedy="Use 127.0.0.1, or 0.0.0.0 for all."
        ) from error


@contextlib.asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests until the block is left; those under way get two seconds to finish."""
    config = uvicorn.Config(
        app,
        http=_Impatient,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()

"""The HTTP server, run inside the owner's event loop. Signals stay with the owner."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.api.bounds import App
from stagewright.entrypoints.api.lines import LineProtocol

LOOPBACK = "127.0.0.1"
_STOP_S = 2
WS_MOST_BYTES = 4_096
"""Of what readers send: nothing but what the protocol asks for."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process that runs this decides when to stop."""
        yield


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


def allow_many_readers() -> None:
    """Let this process hold as many connections as the machine allows it: streams stay open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # some systems refuse their own limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


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
        http=LineProtocol,
        ws="wsproto",
        ws_max_size=WS_MOST_BYTES,
        ws_per_message_deflate=False,  # a window for each reader would be most of its memory
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

"""The HTTP server, run inside the owner's event loop. Signals stay with the owner."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from stagewright.domain.errors import ConfigurationError
from stagewright.entrypoints.api.guard import App

LOOPBACK = "127.0.0.1"
_STOP_S = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process that runs this decides when to stop."""
        yield


def bind(port: int) -> socket.socket:
    """Return a loopback socket that listens on `port` (0: any); ConfigurationError when taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            "port", f"{port} cannot be used: {error.strerror}.", remedy="Choose another, or 0."
        ) from error
    listener.listen(128)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `http://127.0.0.1:PORT`."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


@contextlib.asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests until the block is left; those under way get two seconds to finish."""
    config = uvicorn.Config(
        app,
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

"""Connections whose transport the application can reach.

A reader that stalls must be let go of in bounded time, with all that waits to be sent to it; asking
the transport to close would wait for the reader once more.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_S = 10.0
"""A connection whose next request line and headers are not there by then is closed."""
STATE_KEY = "transport"
STREAM_SEND_BUFFER_BYTES = 32_768
STREAM_WRITE_LIMIT_BYTES = 16_384


class LineProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at run time
    """HTTP/1.1 that leaves its transport where the application finds it.

    It closes connections that never come to their request, or let it trickle: the server's own
    limit for idle connections begins anew with each byte.
    """

    app_state: dict[str, Any]
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection."""
        self.app_state = {**self.app_state, STATE_KEY: transport}
        super().connection_made(transport)
        self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
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


def transport_of(scope: MutableMapping[str, Any]) -> asyncio.Transport | None:
    """Return the transport of a request; None when the server does not tell."""
    transport: asyncio.Transport | None = scope.get("state", {}).get(STATE_KEY)
    return transport


def keep_small(transport: asyncio.Transport | None) -> None:
    """Bound what the machine keeps for one reader of a stream."""
    if transport is None:
        return
    transport.set_write_buffer_limits(high=STREAM_WRITE_LIMIT_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SEND_BUFFER_BYTES)

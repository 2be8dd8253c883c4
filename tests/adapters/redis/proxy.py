"""A line between client and server that can be cut after a request has passed."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes on; `lose_reply` lets the next request that says a word pass, and then cuts."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._word: bytes | None = None
        self._lines: list[asyncio.StreamWriter] = []
        self.port = 0
        self.cut = 0
        """Replies lost so far."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_reply(self, word: bytes) -> None:
        """Cut the connection when the answer to the next request with this word comes back."""
        self._word = word

    def reset_idle(self) -> None:
        """Reset all connections, as a server does that dies with something unread."""
        for line in self._lines:
            line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            line.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._lines.append(writer)
        doomed = asyncio.Event()
        passing = asyncio.gather(
            self._requests(reader, to_writer, doomed), self._replies(to_reader, writer, doomed)
        )
        with suppress(ConnectionError, asyncio.CancelledError):
            await passing
        for line in (writer, to_writer):
            line.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            if self._word is not None and self._word in data:
                self._word = None
                doomed.set()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            if doomed.is_set():
                self.cut += 1
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        writer.close()

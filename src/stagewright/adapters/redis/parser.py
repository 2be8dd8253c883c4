"""A parser that knows a dead connection, and stops before a reply grows beyond its bounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import hiredis
from redis._parsers import _AsyncHiredisParser
from redis.exceptions import ConnectionError as Closed

READ_BYTES = 65_536


class ReplyTooLargeError(Exception):
    """The reply holds a value, or is as a whole, larger than allowed."""


@dataclass(slots=True)
class Bounds:
    """What one connection may read for one reply; set before each call."""

    value_bytes: int = 1 << 62
    """Largest single value, give or take two reads."""
    reply_bytes: int = 1 << 62
    read_bytes: int = 0
    """Read so far for the reply."""

    def begin(self, value_bytes: int, reply_bytes: int) -> None:
        """Set the bounds for the next reply."""
        self.value_bytes, self.reply_bytes, self.read_bytes = value_bytes, reply_bytes, 0

    def parser(self, socket_read_size: int) -> BoundedParser:
        """Make the parser of a connection that obeys these bounds."""
        return BoundedParser(socket_read_size, self)


class BoundedParser(_AsyncHiredisParser):
    """hiredis holds an incomplete value in its buffer: the buffer's size bounds the value's."""

    def __init__(self, socket_read_size: int, bounds: Bounds) -> None:
        super().__init__(socket_read_size=max(socket_read_size, READ_BYTES))
        self._bounds = bounds

    async def can_read(self) -> bool:
        """Whether the connection has an answer that nobody waits for, or is closed or reset."""
        stream: asyncio.StreamReader = self._stream  # type: ignore[assignment]  # while connected
        return stream.exception() is not None or await super().can_read()

    async def read_from_socket(self) -> bool:
        """Read one piece; raise ReplyTooLargeError when that was enough."""
        stream: asyncio.StreamReader = self._stream  # type: ignore[assignment]  # while connected
        reader: hiredis.Reader = self._reader  # type: ignore[assignment]  # likewise
        piece = await stream.read(self._read_size)
        if not piece:
            raise Closed("Connection closed by server.")
        reader.feed(piece)
        bounds = self._bounds
        bounds.read_bytes += len(piece)
        if reader.len() > bounds.value_bytes or bounds.read_bytes > bounds.reply_bytes:
            raise ReplyTooLargeError
        return True

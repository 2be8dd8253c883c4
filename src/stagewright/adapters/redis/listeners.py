"""Listening to channels: one connection per process, shared by all who listen.

Channels are ephemeral by contract, so a lost connection loses what was said meanwhile: it is made
again with a random pause, and all channels are subscribed again.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from redis.asyncio.connection import AbstractConnection

from stagewright.adapters.redis import errors
from stagewright.adapters.redis.connection import drop, ready
from stagewright.adapters.redis.server import Server
from stagewright.domain.errors import StagewrightError, Unreachable
from stagewright.ports.message_bus import Message

LISTENER_KEEPS = 1_000
SILENCE_S = 15.0
"""After so long without a word the server is asked whether it is still there."""

_PAUSES_S = (0.05, 1.0)

Read = Callable[[str, bytes], Message | None]
"""Turns what a channel said into a message; None if it is not for this listener."""


class Listener:
    """A subscription: what it has not read yet is bounded, the oldest goes first."""

    def __init__(self, channels: Sequence[str], read: Read) -> None:
        self.channels = channels
        self._read = read
        self._unread: deque[Message] = deque(maxlen=LISTENER_KEEPS)
        self._arrived = asyncio.Event()

    def tell(self, channel: str, said: bytes) -> None:
        """Put a message where the reader finds it."""
        message = self._read(channel, said)
        if message is not None:
            self._unread.append(message)
            self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._unread:
            self._arrived.clear()
            await self._arrived.wait()
        return self._unread.popleft()


class Listeners:
    """All subscriptions of a process. A channel with a * is a pattern."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: AbstractConnection | None = None
        self._by_channel: dict[str, set[Listener]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._hearing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def listening(self, channels: Sequence[str], read: Read) -> AsyncIterator[Listener]:
        """Hear what is said on some channels from entering on; raise Unreachable."""
        listener = Listener(channels, read)
        try:
            await self._join(listener)
            yield listener
        finally:
            await self._leave(listener)

    def hears(self, channel: str) -> bool:
        """Whether what is said on a channel reaches this process now."""
        confirmed = self._confirmed.get(channel)
        return confirmed is not None and confirmed.is_set()

    async def _join(self, listener: Listener) -> None:
        fresh = []
        for channel in listener.channels:
            if channel not in self._by_channel:
                fresh.append(channel)
                self._confirmed[channel] = asyncio.Event()
            self._by_channel.setdefault(channel, set()).add(listener)
        await self._subscribe(fresh)
        try:
            async with asyncio.timeout(self._server.timeout_s):
                for channel in listener.channels:
                    await self._confirmed[channel].wait()
        except TimeoutError as error:
            raise errors.not_connected(error) from error

    async def _subscribe(self, channels: Sequence[str]) -> None:
        async with self._lock:
            if self._hearing is None:
                await self._connect()
                self._hearing = asyncio.create_task(self._hear())
            await self._send("SUBSCRIBE", channels)

    async def _leave(self, listener: Listener) -> None:
        empty = []
        for channel in listener.channels:
            listeners = self._by_channel.get(channel, set())
            listeners.discard(listener)
            if not listeners and self._by_channel.pop(channel, None) is not None:
                del self._confirmed[channel]
                empty.append(channel)
        await self._send("UNSUBSCRIBE", empty)

    async def _send(self, verb: str, channels: Sequence[str]) -> None:
        """Send; what cannot be sent now is made good when the connection is made again."""
        connection = self._connection
        if connection is None or not connection.is_connected:
            return
        patterns = [channel for channel in channels if "*" in channel]
        plain = [channel for channel in channels if "*" not in channel]
        with suppress(*errors.DRIVER):
            if plain:
                await connection.send_command(verb, *plain, check_health=False)
            if patterns:
                await connection.send_command(f"P{verb}", *patterns, check_health=False)

    async def _hear(self) -> None:
        while True:
            with suppress(*errors.DRIVER, StagewrightError):
                connection = await self._reconnect()
                while True:
                    await self._hear_one(connection)
            await self._drop()
            for confirmed in self._confirmed.values():
                confirmed.clear()
            await asyncio.sleep(random.uniform(*_PAUSES_S))  # noqa: S311  # not a secret

    async def _reconnect(self) -> AbstractConnection:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        connection = await self._connect()
        await self._send("SUBSCRIBE", list(self._by_channel))
        return connection

    async def _connect(self) -> AbstractConnection:
        """Connect to the first server that answers; raise Unreachable."""
        failure: Unreachable | None = None
        for address in self._server.listening_posts():
            connection = address.connect()
            try:
                await ready(connection, self._server.timeout_s)
            except Unreachable as error:
                failure = error
                self._server.doubt()
            else:
                self._connection = connection
                return connection
        raise failure or Unreachable(errors.SERVER, "no node is known")

    async def _drop(self) -> None:
        if self._connection is not None:
            await drop(self._connection)

    async def _hear_one(self, connection: AbstractConnection) -> None:
        reply = await connection.read_response(timeout=SILENCE_S)
        if reply is None:  # silence: an answer to this, or an error, ends the doubt
            await connection.send_command("PING", check_health=False)
            reply = await connection.read_response(timeout=self._server.timeout_s)
            if reply is None:
                raise TimeoutError
        self._dispatch(reply)

    def _dispatch(self, reply: Any) -> None:
        kind = reply[0]
        if kind == b"message":
            self._tell(reply[1].decode(), reply[1].decode(), reply[2])
        elif kind == b"pmessage":
            self._tell(reply[1].decode(), reply[2].decode(), reply[3])
        elif kind in (b"subscribe", b"psubscribe"):
            confirmed = self._confirmed.get(reply[1].decode())
            if confirmed is not None:
                confirmed.set()

    def _tell(self, subscribed: str, channel: str, said: bytes) -> None:
        for listener in tuple(self._by_channel.get(subscribed, ())):
            listener.tell(channel, said)

    async def close(self) -> None:
        """Stop to listen."""
        if self._hearing is not None:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing
        await self._drop()

"""Connections to the server, and calls that are sent once.

redis-py's clients send a command again when its connection is lost, and so write twice. Here a call
whose answer is lost raises OutcomeUnknown, and only reads are ever repeated. Of the driver we use
the connections (address, TLS, authentication, parsing) and not the clients, which also spares their
price per argument: hiredis packs a call in one piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from stagewright.adapters.redis import errors
from stagewright.adapters.redis.library import library
from stagewright.adapters.redis.parser import Bounds
from stagewright.domain.errors import ConfigurationError, OutcomeUnknown, StagewrightError

CALLS_AT_ONCE = 16
CALL_TIMEOUT_S = 5.0
DEFAULT_PORT = 6379

Place = tuple[str, int]
"""Host and port of a server."""

Argument = str | bytes | int | float
Command = Sequence[Argument]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and how to talk to it."""

    public_url: str
    """Without credentials."""
    timeout_s: float
    connection: type[AbstractConnection]
    arguments: dict[str, Any]
    replicas: int = 0
    """How many replicas must have what is answered."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse `redis://`, `rediss://` or `unix://`; raise ConfigurationError."""
        try:
            found: dict[str, Any] = dict(parse_url(url))
        except (ValueError, RedisError) as error:
            raise ConfigurationError("url", f"{public(url)!r}: {error}") from error
        connection = found.pop("connection_class", Connection)
        timeout_s = found.pop("socket_timeout", None) or CALL_TIMEOUT_S
        found.pop("max_connections", None)
        replicas = _replicas(found.pop("replicas", "0"))
        return cls(public(url), timeout_s, connection, found, replicas)

    @property
    def place(self) -> Place:
        """Host and port."""
        return self.arguments.get("host", "localhost"), self.arguments.get("port", DEFAULT_PORT)

    def at(self, place: Place) -> Self:
        """Return another server's address, to be talked to in the same way."""
        host, port = place
        return replace(self, arguments=self.arguments | {"host": host, "port": port})

    def connect(self, bounds: Bounds | None = None) -> AbstractConnection:
        """Return a connection that opens on first use and never sends anything again."""
        fixed = {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
            "client_name": library().name,  # so that the server's list tells who uses which
            "driver_info": None,
            "parser_class": (bounds or Bounds()).parser,
        }
        patience = {"socket_connect_timeout": self.timeout_s}
        return self.connection(**(patience | self.arguments | fixed))


def _replicas(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise ConfigurationError("url", f"replicas={text}", remedy="Name a number, as in replicas=1.")


def public(url: str) -> str:
    """Return a URL without user, password and options."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


async def ready(connection: AbstractConnection, timeout_s: float) -> None:
    """Connect, or connect again when the server has closed; raise Unreachable."""
    try:
        if connection.is_connected:
            if not await connection.can_read():
                return
            await connection.disconnect(nowait=True)  # closed, or an answer nobody waited for
        async with asyncio.timeout(timeout_s):
            await connection.connect()  # type: ignore[no-untyped-call]
    except errors.DRIVER as error:
        await drop(connection)
        raise errors.not_connected(error) from error


async def exchange(
    connection: AbstractConnection, commands: Sequence[Command], timeout_s: float
) -> list[Any]:
    """Send commands once and return their replies, errors among them; raise OutcomeUnknown."""
    packed = b"".join(map(_pack, commands))
    try:
        async with asyncio.timeout(timeout_s):
            await connection.send_packed_command(packed, check_health=False)
            return [await _reply(connection) for _ in commands]
    except errors.DRIVER as error:
        await drop(connection)
        raise errors.lost(error) from error
    except BaseException:
        await drop(connection)  # a reply may still come, and must not be taken for another's
        raise


def _pack(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its stub errs
    return packed


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


async def drop(connection: AbstractConnection) -> None:
    """Close at once."""
    try:
        await connection.disconnect(nowait=True)
    except errors.DRIVER:
        return


class Client:
    """Calls over a bounded pool of connections; who finds none free waits for its turn.

    When an answer was lost on one connection, those that lay idle since before are not trusted: on
    a network that swallows everything each of them would cost another wait in vain.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._free = asyncio.Semaphore(CALLS_AT_ONCE)
        self._idle: list[AbstractConnection] = []

    async def distrust(self) -> None:
        """Close the connections that nobody uses at the moment."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await drop(connection)

    async def call(self, *command: Argument) -> Any:
        """Run one command; raise what its reply says."""
        (reply,) = await self.call_all([command])
        return checked(reply)

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip and return their replies, errors among them."""
        timeout_s = self._address.timeout_s
        async with self._free:
            connection = self._idle.pop() if self._idle else self._address.connect()
            try:
                await ready(connection, timeout_s)
                return await exchange(connection, commands, timeout_s)
            except OutcomeUnknown:
                await self.distrust()
                raise
            finally:
                self._idle.append(connection)

    async def close(self) -> None:
        """Close all connections."""
        while self._idle:
            await drop(self._idle.pop())


def checked(reply: Any) -> Any:
    """Return a reply, or raise the error that it is."""
    if isinstance(reply, ResponseError):
        raise errors.refused(reply) from reply
    if isinstance(reply, StagewrightError):
        raise reply
    return reply

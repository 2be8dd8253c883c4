"""A master and its replica behind one address: the link can be cut, the replica promoted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

from stagewright.domain.errors import Unreachable
from stagewright.testing.servers import AppendOnly, RedisServer

_HOST = "127.0.0.1"
_NOBODY = 1
"""A port on which nobody listens."""
_POLL_S = 0.01


class RedisPair:
    """A master and its replica. Whoever is promoted becomes `master`, the other one starts anew."""

    def __init__(self, *, appendonly: AppendOnly = "everysec", start_s: float = 20.0) -> None:
        quick = ("--repl-diskless-sync-delay", "0")
        self.master, self.replica = (
            RedisServer(appendonly=appendonly, options=quick) for _ in range(2)
        )
        self._start_s = start_s

    def __enter__(self) -> Self:
        self.master.start()
        self.replica.start()
        self.link()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.master.stop()
        self.replica.stop()

    def link(self) -> None:
        """Let the replica follow its master, and wait until it does."""
        self.replica.ask("REPLICAOF", _HOST, self.master.port)
        give_up_s = time.monotonic() + self._start_s
        while b"state=online" not in self.master.ask("INFO", "replication"):
            if time.monotonic() > give_up_s:
                raise Unreachable("Redis", "the replica does not follow its master")
            time.sleep(_POLL_S)
        self.settle()

    def settle(self) -> None:
        """Wait until the replica has all that the master has now."""
        end = int(self.master.info_of("replication")["master_repl_offset"])
        give_up_s = time.monotonic() + self._start_s
        while int(self.replica.info_of("replication")["slave_repl_offset"]) < end:
            if time.monotonic() > give_up_s:
                raise Unreachable("Redis", "the replica does not keep up with its master")
            time.sleep(_POLL_S)

    def cut(self) -> None:
        """Let the replica hear nothing more; it keeps what it has."""
        self.replica.ask("REPLICAOF", _HOST, _NOBODY)

    def promote(self) -> None:
        """Make the replica the master, and end the old one: what only that had is lost."""
        self.replica.ask("REPLICAOF", "NO", "ONE")
        self.master.stop()
        self.master, self.replica = self.replica, self.master

    def recruit(self) -> None:
        """Start who was the master, empty, as the replica of the new one."""
        self.replica.start()
        self.link()


class Forwarder:
    """A fixed address that leads to one server, and later to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lines: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens: `redis://127.0.0.1:PORT/0`."""
        return f"redis://{_HOST}:{self.port}/0"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listen until the block is left."""
        server = await asyncio.start_server(self._accept, _HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.switch(_NOBODY)
            await asyncio.gather(*self._serving)

    def switch(self, target: int) -> None:
        """Lead to another port from now on, and cut all lines to the one before."""
        self._target = target
        for line in self._lines:
            line.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = {writer}
        self._lines.add(writer)
        with suppress(OSError):
            to_reader, to_writer = await asyncio.open_connection(_HOST, self._target)
            lines.add(to_writer)
            self._lines |= lines
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, to_writer, lines))
                both.create_task(_pass_on(to_reader, writer, lines))
        self._lines -= lines
        for line in lines:
            line.transport.abort()
            with suppress(OSError):
                await line.wait_closed()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: set[asyncio.StreamWriter]
) -> None:
    """Pass on until one end has gone; then so does the other."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    for line in lines:
        line.transport.abort()

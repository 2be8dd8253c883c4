"""Connections of their own for blocking reads, which may wait on after their caller has left.

A read that found nothing yet is kept: a caller that returns for another reason (a timer fell due)
and comes back with the same positions finds it still waiting, and no entry can slip between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, MovedError

from stagewright.adapters.redis.connection import Address, Command, checked, drop, exchange, ready
from stagewright.adapters.redis.parser import Bounds, ReplyTooLargeError
from stagewright.adapters.redis.server import Server
from stagewright.domain.errors import StagewrightError, Unreachable
from stagewright.ports.system import IClock

BLOCK_MS = 5_000
BLOCKING = ("BLOCK", BLOCK_MS)
PLACES = 4
"""A read is led from one node of a cluster to the next at most so often."""
LATE_S = 3.0
"""An answer that has not come so long after it had to: with `BLOCK_MS` less than ten seconds."""
UNBOUNDED = 1 << 62

Entries = dict[str, list[tuple[str, list[bytes]]]]
"""By stream: id and fields, flat, of each entry."""


class Line:
    """One connection that reads streams which one command can read together."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._bounds = Bounds()
        self._address: Address | None = None
        self._connection: AbstractConnection | None = None
        self._waiting: asyncio.Task[Entries] | None = None
        self._waits_for: tuple[object, ...] = ()
        self.limits = (UNBOUNDED, UNBOUNDED)

    def waits_for(self, positions: Mapping[str, str], count: int) -> bool:
        """Whether a read behind these positions is under way."""
        return self._waiting is not None and self._waits_for == _key(positions, count)

    def wait(self, positions: Mapping[str, str], count: int) -> asyncio.Task[Entries]:
        """Return the read that waits for something behind these positions."""
        if self._waiting is None:
            self._waits_for = _key(positions, count)
            self._waiting = asyncio.create_task(self.read(positions, count, BLOCKING))
            self._waiting.add_done_callback(_retrieve)
        return self._waiting

    @property
    def waiting(self) -> bool:
        """Whether a read waits, or has found something that was not collected."""
        return self._waiting is not None

    def collect(self) -> Entries:
        """Return what a read that waited has found, nothing while it waits; raise its error."""
        if self._waiting is None or not self._waiting.done():
            return {}
        found, self._waiting = self._waiting, None
        return found.result()

    async def read(
        self, positions: Mapping[str, str], count: int, block: tuple[str | int, ...] = ()
    ) -> Entries:
        """Read where the streams are served, and where they are just moving to."""
        command = ("XREAD", "COUNT", count, *block, "STREAMS", *positions, *positions.values())
        timeout_s = BLOCK_MS / 1000 + LATE_S if block else self._server.timeout_s
        reply: Any = None
        for _ in range(PLACES):
            try:
                reply = await self._send(command, next(iter(positions)), reply, timeout_s)
            except Unreachable:
                self._server.doubt()
                raise
            if not isinstance(reply, AskError):
                break
        return _entries(checked(reply))

    async def _send(
        self, command: Command, key: str, before: AskError | None, timeout_s: float
    ) -> Any:
        """Send a read to where the reply before points, if there was one."""
        server = self._server
        address = await (server.redirected(before) if before else server.address_of(key))
        connection = await self._connected(address)
        asking = before is not None and not isinstance(before, MovedError)
        commands: list[Command] = [("ASKING",), command] if asking else [command]
        self._bounds.begin(*self.limits)
        return (await exchange(connection, commands, timeout_s))[-1]

    async def _connected(self, address: Address) -> AbstractConnection:
        if self._connection is None or self._address != address:
            await self._drop()
            self._address, self._connection = address, address.connect(self._bounds)
        await ready(self._connection, self._server.timeout_s)
        return self._connection

    async def abandon(self) -> None:
        """Give up a read that waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})

    async def close(self) -> None:
        """Let go of the connection."""
        await self.abandon()
        await self._drop()

    async def _drop(self) -> None:
        if self._connection is not None:
            await drop(self._connection)


class Reader:
    """Reads streams: over one connection from one server, over one for each slot from a cluster."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lines: dict[int, Line] = {}
        self._limits = (UNBOUNDED, UNBOUNDED)

    def waits_for(self, positions: Mapping[str, str], count: int) -> int:
        """Return how many reads behind these positions are under way."""
        groups = self._server.together(positions)
        return sum(
            group in self._lines and self._lines[group].waits_for(_some(positions, keys), count)
            for group, keys in groups.items()
        )

    async def prepare(self, positions: Mapping[str, str], count: int) -> None:
        """Give up reads that wait for something else."""
        groups = self._server.together(positions)
        for group in self._lines.keys() - groups.keys():
            await self._lines.pop(group).close()
        for group, keys in groups.items():
            line = self._lines.setdefault(group, Line(self._server))
            if not line.waits_for(_some(positions, keys), count):
                await line.abandon()

    def bound(self, value_bytes: int, reply_bytes: int) -> None:
        """Bound what the reads from now on may take in."""
        self._limits = (value_bytes, reply_bytes)

    def _each(self, positions: Mapping[str, str]) -> Iterator[tuple[Line, Mapping[str, str]]]:
        for group, keys in self._server.together(positions).items():
            line = self._lines[group]
            line.limits = self._limits
            yield line, _some(positions, keys)

    async def read(self, positions: Mapping[str, str], count: int) -> Entries:
        """Return what is there at this moment, at most `count` entries of each stream."""
        lines = list(self._each(positions))
        for line, _ in lines:
            await line.abandon()
        return _joined(await asyncio.gather(*(line.read(part, count) for line, part in lines)))

    async def wait_or_sleep(
        self,
        positions: Mapping[str, str],
        count: int,
        clock: IClock,
        delay_s: float,
        sooner: asyncio.Future[None] | None = None,
    ) -> Entries:
        """Return what is there as soon as something is, or nothing after a time or `sooner`."""
        waiting = [line.wait(part, count) for line, part in self._each(positions)]
        sleeping = asyncio.ensure_future(clock.sleep(delay_s))
        try:
            others = () if sooner is None else (sooner,)
            await asyncio.wait((*waiting, sleeping, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
        return self._collect()

    async def glance(self, positions: Mapping[str, str], count: int) -> Entries:
        """Return what is there, as far as reads that wait have seen; do not disturb them."""
        if all(line.waiting for line, _ in self._each(positions)):
            return self._collect()
        return await self.read(positions, count)

    def _collect(self) -> Entries:
        """Return what was found; raise an error only when nothing was."""
        found, failures = [], []
        for line in self._lines.values():
            try:
                found.append(line.collect())
            except (StagewrightError, ReplyTooLargeError) as error:
                failures.append(error)
        entries = _joined(found)
        if failures and not entries:
            raise failures[0]
        return entries

    async def close(self) -> None:
        """Let go of the connections."""
        for line in self._lines.values():
            await line.close()


class Readers:
    """Readers for as many callers as read at the same time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._idle: list[Reader] = []

    @asynccontextmanager
    async def reader(self, positions: Mapping[str, str], count: int) -> AsyncIterator[Reader]:
        """Lend a reader, if possible the one that is already waiting for this."""
        reader = self._choose(positions, count)
        try:
            await reader.prepare(positions, count)
            yield reader
        finally:
            self._idle.append(reader)

    def _choose(self, positions: Mapping[str, str], count: int) -> Reader:
        if not self._idle:
            return Reader(self._server)
        reader = max(self._idle, key=lambda idle: idle.waits_for(positions, count))
        self._idle.remove(reader)
        return reader

    async def close(self) -> None:
        """Close all readers."""
        while self._idle:
            await self._idle.pop().close()


def _some(positions: Mapping[str, str], keys: Sequence[str]) -> Mapping[str, str]:
    return positions if len(keys) == len(positions) else {key: positions[key] for key in keys}


def _joined(found: Iterable[Entries]) -> Entries:
    return {stream: entries for part in found for stream, entries in part.items()}


def _key(positions: Mapping[str, str], count: int) -> tuple[object, ...]:
    return (count, *sorted(positions.items()))


def _entries(reply: Any) -> Entries:
    return {
        stream.decode(): [(id_.decode(), fields or []) for id_, fields in entries]
        for stream, entries in reply or ()
    }


def _retrieve(task: asyncio.Task[Entries]) -> None:
    """Look at how a read ended, for it may have ended when nobody waited any more."""
    if not task.cancelled():
        task.exception()

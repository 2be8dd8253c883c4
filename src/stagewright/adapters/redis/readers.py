"""Connections of their own for blocking reads, which may wait on after their caller has left.

A read that found nothing yet is kept: a caller that returns for another reason (a timer fell due)
and comes back with the same positions finds it still waiting, and no entry can slip between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from stagewright.adapters.redis.connection import Address, checked, drop, exchange, ready
from stagewright.adapters.redis.parser import Bounds
from stagewright.ports.system import IClock

BLOCK_MS = 5_000
UNBOUNDED = 1 << 62

Entries = dict[str, list[tuple[str, list[bytes]]]]
"""By stream: id and fields, flat, of each entry."""


class Reader:
    """One connection that reads streams."""

    def __init__(self, address: Address) -> None:
        self._timeout_s = address.timeout_s
        self._bounds = Bounds()
        self._connection = address.connect(self._bounds)
        self._waiting: asyncio.Task[Entries] | None = None
        self._waits_for: tuple[object, ...] = ()
        self._limits = (UNBOUNDED, UNBOUNDED)

    def waits_for(self, positions: Mapping[str, str], count: int) -> bool:
        """Whether a read behind these positions is under way."""
        return self._waiting is not None and self._waits_for == _key(positions, count)

    async def read(self, positions: Mapping[str, str], count: int) -> Entries:
        """Return what is there at this moment, at most `count` entries of each stream."""
        await self._abandon()
        return await self._read(positions, count, ())

    def _wait(self, positions: Mapping[str, str], count: int) -> asyncio.Task[Entries]:
        if self._waiting is None:
            self._waits_for = _key(positions, count)
            read = self._read(positions, count, ("BLOCK", BLOCK_MS))
            self._waiting = asyncio.create_task(read)
            self._waiting.add_done_callback(_retrieve)
        return self._waiting

    async def wait_or_sleep(
        self, positions: Mapping[str, str], count: int, clock: IClock, delay_s: float
    ) -> Entries:
        """Return what is there as soon as something is, or nothing after a time at the latest."""
        waiting = self._wait(positions, count)
        sleeping = asyncio.ensure_future(clock.sleep(delay_s))
        try:
            await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
        return self._collect()

    async def glance(self, positions: Mapping[str, str], count: int) -> Entries:
        """Return what is there, as far as a read that waits has seen; do not disturb it."""
        return await self.read(positions, count) if self._waiting is None else self._collect()

    def _collect(self) -> Entries:
        """Return what a read that waited has found, nothing while it waits; raise its error."""
        if self._waiting is None or not self._waiting.done():
            return {}
        found, self._waiting = self._waiting, None
        return found.result()

    def bound(self, value_bytes: int, reply_bytes: int) -> None:
        """Bound what the reads from now on may take in."""
        self._limits = (value_bytes, reply_bytes)

    async def _read(
        self, positions: Mapping[str, str], count: int, block: tuple[str | int, ...]
    ) -> Entries:
        await ready(self._connection, self._timeout_s)
        self._bounds.begin(*self._limits)
        command = ("XREAD", "COUNT", count, *block, "STREAMS", *positions, *positions.values())
        timeout_s = self._timeout_s + (BLOCK_MS / 1000 if block else 0)
        (reply,) = await exchange(self._connection, [command], timeout_s)
        return _entries(checked(reply))

    async def prepare(self, positions: Mapping[str, str], count: int) -> None:
        """Give up a read that waits for something else."""
        if not self.waits_for(positions, count):
            await self._abandon()

    async def _abandon(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})

    async def close(self) -> None:
        """Let go of the connection."""
        await self._abandon()
        await drop(self._connection)


class Readers:
    """Readers for as many callers as read at the same time."""

    def __init__(self, address: Address) -> None:
        self._address = address
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
        for place, reader in enumerate(self._idle):
            if reader.waits_for(positions, count):
                return self._idle.pop(place)
        return self._idle.pop() if self._idle else Reader(self._address)

    async def close(self) -> None:
        """Close all readers."""
        while self._idle:
            await self._idle.pop().close()


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

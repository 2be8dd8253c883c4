"""A TCP line to a server that can be harmed: what a network does to a call, on purpose.

    async with Proxy(server.port, plan=Share(0.05, random.Random(7))).running() as proxy:
        ...  # whoever connects to 127.0.0.1:{proxy.port} loses one call in twenty

A plan looks at each piece that a client sends (for a client that asks and waits: one request) and
may name a harm. `lose_reply`, `harm_all` and `reset_idle` do harm without a plan.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

_HOST = "127.0.0.1"
_PIECE_BYTES = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)


class Harm(Enum):
    """What may become of a request."""

    LOSE_REPLY = "lose_reply"
    """It passes; the connection is cut when its answer comes."""
    DELAY = "delay"
    """It, and all that follows on its connection, passes later."""
    BLACK_HOLE = "black_hole"
    """From it on nothing passes either way, and neither end is told."""
    HALF_OPEN = "half_open"
    """The server's end is closed, with the request unsent; the client is not told."""
    CUT = "cut"
    """A part of it passes, then both ends are reset."""


Plan = Callable[[bytes], Harm | None]
"""From a piece that a client sends to what becomes of it."""


@dataclass(slots=True)
class Share:
    """Harms a share of all requests, each kind as often as the others. The same for one seed."""

    share: float
    chance: random.Random
    kinds: Sequence[Harm] = field(default_factory=lambda: tuple(Harm))

    def __call__(self, _: bytes) -> Harm | None:
        """Draw what becomes of a request."""
        return self.chance.choice(self.kinds) if self.chance.random() < self.share else None


class Proxy:
    """Listens on a free port of the loopback interface and passes on to a server's port."""

    def __init__(self, port: int, *, plan: Plan | None = None, delay_s: float = 0.5) -> None:
        self._server_port = port
        self.delay_s = delay_s
        """How long a delayed request is held back."""
        self._lines: set[_Line] = set()
        self._word: bytes | None = None
        self._passed: dict[bytes, asyncio.Event] = {}
        self._released = asyncio.Event()
        self.plan = plan
        self.port = 0
        self.pieces = 0
        """Pieces that clients sent."""
        self.harmed: Counter[Harm] = Counter()
        """What became of some of them; a lost reply counts when it is lost."""

    @property
    def url(self) -> str:
        """Where it listens, for clients of Redis: `redis://127.0.0.1:PORT/0`."""
        return f"redis://{_HOST}:{self.port}/0"

    def lose_reply(self, word: bytes) -> None:
        """Cut the connection when the answer to the next request with this word comes back."""
        self._word = word

    def harm_all(self, harm: Harm) -> None:
        """Harm every connection that stands now, at its next request or answer."""
        for line in self._lines:
            line.next = harm

    def hold_replies(self) -> None:
        """Keep back what is answered on the connections there are now, until `release_replies`."""
        for line in self._lines:
            line.held = self._released

    def release_replies(self) -> None:
        """Let everything through."""
        self._released.set()

    async def passed(self, word: bytes) -> None:
        """Return when a request with this word has passed since this was first asked."""
        await self._passed.setdefault(word, asyncio.Event()).wait()

    def note(self, piece: bytes) -> None:
        """See what has passed."""
        for word, seen in self._passed.items():
            if word in piece:
                seen.set()

    def reset_idle(self) -> None:
        """Reset all connections, as a server does that dies with something unread."""
        for line in self._lines:
            line.reset()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listen until the block is left; then all connections are closed."""
        server = await asyncio.start_server(self._serve, _HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            serving = [line.end() for line in tuple(self._lines)]
            await asyncio.gather(*serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(_HOST, self._server_port)
        except OSError:  # the server is away: so are we
            writer.close()
            return
        line = _Line(self, (reader, writer), server)
        self._lines.add(line)
        try:
            await line.pass_on()
        finally:
            self._lines.discard(line)

    def judge(self, piece: bytes, line: _Line) -> Harm | None:
        """Say what becomes of a piece."""
        self.pieces += 1
        harm, line.next = line.next, None
        if self._word is not None and self._word in piece:
            self._word, harm = None, Harm.LOSE_REPLY
        if harm is None and self.plan is not None:
            harm = self.plan(piece)
        if harm is not None and harm is not Harm.LOSE_REPLY:
            self.harmed[harm] += 1
        return harm

    def judge_reply(self, line: _Line, *, losing: bool) -> Harm | None:
        """Say what becomes of a piece that comes back."""
        harm, line.next = (Harm.LOSE_REPLY if losing else line.next), None
        if harm is not None:
            self.harmed[harm] += 1
        return harm


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Line:
    """One connection of a client."""

    def __init__(self, proxy: Proxy, client: End, server: End) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._silent = self._losing = False
        self._ending, self._over = asyncio.Event(), asyncio.Event()
        self.next: Harm | None = None
        self.held: asyncio.Event | None = None
        """Set when what is answered may pass."""

    async def pass_on(self) -> None:
        """Pass on, both ways, until an end closes."""
        duties = (self._requests(), self._replies(), self._ending.wait())
        ways: list[asyncio.Task[object]] = [asyncio.create_task(duty) for duty in duties]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._client, self._server):
                writer.close()
            self._over.set()

    async def _requests(self) -> None:
        (reader, _), (_, server) = self._client, self._server
        while piece := await reader.read(_PIECE_BYTES):
            harm = None if self._silent else self._proxy.judge(piece, self)
            if harm is Harm.DELAY:
                await asyncio.sleep(self._proxy.delay_s)
            elif harm is Harm.CUT:
                server.write(piece[: len(piece) // 2])
                self.reset()
                return
            elif harm is not None:
                self._harm(harm)
            if not self._silent:
                server.write(piece)
                await server.drain()
                self._proxy.note(piece)

    def _harm(self, harm: Harm) -> None:
        self._losing |= harm is Harm.LOSE_REPLY
        self._silent |= harm in {Harm.BLACK_HOLE, Harm.HALF_OPEN}
        if harm is Harm.HALF_OPEN:
            self._server[1].close()

    async def _replies(self) -> None:
        (reader, _), (_, client) = self._server, self._client
        while piece := await reader.read(_PIECE_BYTES):
            harm = self._proxy.judge_reply(self, losing=self._losing)
            if harm in {Harm.CUT, Harm.LOSE_REPLY}:
                self.reset()
                return
            if harm is Harm.DELAY:
                await asyncio.sleep(self._proxy.delay_s)
            elif harm is not None:
                self._harm(harm)
            if not self._silent:
                if self.held is not None:
                    await self.held.wait()
                client.write(piece)
                await client.drain()
        if self._silent:  # the client must not learn that the server closed
            await asyncio.get_running_loop().create_future()

    def reset(self) -> None:
        """Reset both ends at once."""
        for _, writer in (self._client, self._server):
            line = writer.get_extra_info("socket")
            with suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()

    async def end(self) -> None:
        """Close both ends; returns when nothing passes any more."""
        self._ending.set()
        await self._over.wait()

"""Which server serves which key: the seam between one server and a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from redis.exceptions import AskError

from stagewright.adapters.redis.connection import Address, Command
from stagewright.adapters.redis.errors import refused
from stagewright.adapters.redis.node import Node
from stagewright.domain.errors import StagewrightError


class Server(Protocol):
    """All that is behind one URL."""

    @property
    def public_url(self) -> str:
        """Without credentials."""
        ...

    @property
    def timeout_s(self) -> float:
        """How long one call may take."""
        ...

    @property
    def replicas(self) -> int:
        """How many replicas must have what is answered."""
        ...

    @property
    def promotes(self) -> bool:
        """Whether a replica may take over by itself."""
        ...

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip and return their replies, errors among them.

        Each command goes where its first key is served. Raise Unreachable, or put it where the
        reply would stand when only some of the commands did not arrive.
        """
        ...

    async def call_each(self, commands: Sequence[Command]) -> Mapping[str, list[Any]]:
        """Run commands on every server that takes writes; return the replies by its name.

        A server that does not answer has Unreachable in place of each reply.
        """
        ...

    async def load(self) -> None:
        """Load our Functions wherever they are missing."""
        ...

    def together(self, keys: Iterable[str]) -> Mapping[int, Sequence[str]]:
        """Group keys by what one command can read; a group's name stays its own."""
        ...

    async def address_of(self, key: str) -> Address:
        """Return where a key is served."""
        ...

    async def redirected(self, error: AskError) -> Address:
        """Return where else a key is served, as the server that was asked says."""
        ...

    def doubt(self) -> None:
        """Note that a server did not answer: keys may be served elsewhere by now."""
        ...

    async def distrust(self) -> None:
        """Use no connection again that lies idle now: another one was found to be dead."""
        ...

    def listening_posts(self) -> Sequence[Address]:
        """Return where all channels can be heard: one that answers is enough."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Single:
    """One server, which serves everything."""

    promotes = False

    def __init__(self, address: Address) -> None:
        self._address, self._node = address, Node(address)
        self.public_url, self.timeout_s = address.public_url, address.timeout_s
        self.replicas = address.replicas

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip."""
        return await self._node.call_all(commands)

    async def call_each(self, commands: Sequence[Command]) -> Mapping[str, list[Any]]:
        """Run commands there."""
        return {"": await answers(self._node, commands)}

    async def load(self) -> None:
        """Load our Functions unless they are there."""
        await self._node.load()

    def together(self, keys: Iterable[str]) -> Mapping[int, Sequence[str]]:
        """Return one group: any keys can be read together."""
        found = list(keys)
        return {0: found} if found else {}

    async def address_of(self, key: str) -> Address:  # noqa: ARG002  # the protocol's shape
        """Return its address."""
        return self._address

    async def redirected(self, error: AskError) -> Address:
        """Refuse: a single server does not know others."""
        raise refused(error)

    def doubt(self) -> None:
        """There is nowhere else to look."""

    async def distrust(self) -> None:
        """Use no connection again that lies idle now."""
        await self._node.distrust()

    def listening_posts(self) -> Sequence[Address]:
        """Return its address."""
        return [self._address]

    async def close(self) -> None:
        """Close all connections."""
        await self._node.close()


async def answers(node: Node, commands: Sequence[Command], *, asking: bool = False) -> list[Any]:
    """Return the replies of one server, or why there are none in place of each."""
    try:
        return await node.call_all(commands, asking=asking)
    except StagewrightError as error:
        return [error] * len(commands)

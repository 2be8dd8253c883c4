"""One server that takes writes: it is given our Functions when it does not know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from stagewright.adapters.redis.connection import Address, Argument, Client, Command, checked
from stagewright.adapters.redis.errors import SERVER, is_missing_function
from stagewright.adapters.redis.keys import beside
from stagewright.adapters.redis.library import library
from stagewright.adapters.redis.slots import key_of
from stagewright.domain.errors import OutcomeUnknown, StagewrightError

REPLICAS_S = 1.0
"""How long replicas may take; after that nobody knows what a failover would leave."""

_LOOKS = frozenset(
    {
        *("CLUSTER", "CONFIG", "FCALL_RO", "GET", "HGET", "HMGET", "INFO", "LRANGE"),
        *("PUBLISH", "XRANGE", "ACL", "CLIENT", "EVAL", "FUNCTION", "TIME"),
    }
)
"""Commands on which no promise rests. HGETALL is not among them: by it workflows are loaded, and
definitions listed, and what is found there is acknowledged. EVAL only asks whether writes are
taken."""


class Node:
    """Calls to one server, each sent once."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client = Client(address)

    async def call_all(self, commands: Sequence[Command], *, asking: bool = False) -> list[Any]:
        """Run commands in one round trip and return their replies, errors among them.

        `asking`: for keys of a slot that is just moving here. A server that was restarted empty or
        whose Functions were flushed answers that it does not know them. Such a call did nothing,
        and so it is made again once the library is loaded.
        """
        replies = await self._send(commands, asking)
        missing = [place for place, reply in enumerate(replies) if is_missing_function(reply)]
        if missing:
            again = await self._again([commands[place] for place in missing], asking)
            for place, reply in zip(missing, again, strict=True):
                replies[place] = reply
        return replies

    async def _again(self, commands: Sequence[Command], asking: bool) -> list[Any]:  # noqa: FBT001  # private
        """Make calls that did nothing again; what keeps us from it concerns only them."""
        try:
            await self.load()
            return await self._send(commands, asking)
        except StagewrightError as error:
            return [error] * len(commands)

    async def _send(self, commands: Sequence[Command], asking: bool) -> list[Any]:  # noqa: FBT001  # private
        settled = self.address.replicas and next(filter(_settles, commands), None)
        if settled:
            return await self._send_settled(commands, key_of(settled), asking)
        return await self._exchange(commands, asking)

    async def _send_settled(
        self,
        commands: Sequence[Command],
        key: Argument,
        asking: bool,  # noqa: FBT001  # private
    ) -> list[Any]:
        """Answer when enough replicas have all that the answer rests on.

        WAIT counts what this connection has written, so a small write makes it count what was only
        read as well: another process may have written that in this moment.
        """
        wait_ms = round(min(REPLICAS_S, self.address.timeout_s / 2) * 1000)
        mark: Command = ("SET", beside(key, "settled"), 1)
        barrier: list[Command] = [mark, ("WAIT", self.address.replicas, wait_ms)]
        *replies, marked, reached = await self._exchange([*commands, *barrier], asking)
        if all(isinstance(reply, ResponseError) for reply in replies):
            return replies  # nothing was done
        if isinstance(marked, ResponseError) or not reached >= self.address.replicas:
            had = f"{reached} of {self.address.replicas} replicas have it"
            raise OutcomeUnknown(SERVER, f"unknown outcome: {had} after {wait_ms} ms")
        return replies

    async def _exchange(self, commands: Sequence[Command], asking: bool) -> list[Any]:  # noqa: FBT001  # private
        if not asking:
            return await self._client.call_all(commands)
        asked = [one for command in commands for one in (("ASKING",), command)]
        return (await self._client.call_all(asked))[1::2]

    async def load(self) -> None:
        """Load the library unless another process was faster."""
        (reply,) = await self._client.call_all([("FUNCTION", "LOAD", library().source)])
        if not (isinstance(reply, ResponseError) and "already exists" in str(reply)):
            checked(reply)

    async def distrust(self) -> None:
        """Use no connection again that lies idle now."""
        await self._client.distrust()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _settles(command: Command) -> bool:
    """Whether what a command does, or shows, may be acknowledged."""
    return command[0] not in _LOOKS

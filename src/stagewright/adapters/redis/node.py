"""One server that takes writes: it is given our Functions when it does not know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from stagewright.adapters.redis.connection import Address, Client, Command, checked
from stagewright.adapters.redis.errors import is_missing_function
from stagewright.adapters.redis.library import library


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
            await self.load()
            again = await self._send([commands[place] for place in missing], asking)
            for place, reply in zip(missing, again, strict=True):
                replies[place] = reply
        return replies

    async def _send(self, commands: Sequence[Command], asking: bool) -> list[Any]:  # noqa: FBT001  # private
        if not asking:
            return await self._client.call_all(commands)
        asked = [one for command in commands for one in (("ASKING",), command)]
        return (await self._client.call_all(asked))[1::2]

    async def load(self) -> None:
        """Load the library unless another process was faster."""
        (reply,) = await self._client.call_all([("FUNCTION", "LOAD", library().source)])
        if not (isinstance(reply, ResponseError) and "already exists" in str(reply)):
            checked(reply)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

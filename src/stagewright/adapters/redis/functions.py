"""Calling the server's Functions: the library is loaded when a call finds it missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from stagewright.adapters.redis.connection import Argument, Client, Command, checked
from stagewright.adapters.redis.errors import is_missing_function
from stagewright.adapters.redis.library import library


class Functions:
    """The Functions of our library, by our names."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._library = library()

    def command(
        self, name: str, keys: Sequence[str], arguments: Sequence[Argument] = ()
    ) -> Command:
        """Return the command that calls a Function."""
        verb = "FCALL_RO" if name in self._library.read_only else "FCALL"
        return (verb, self._library.functions[name], len(keys), *keys, *arguments)

    async def call(self, name: str, keys: Sequence[str], arguments: Sequence[Argument] = ()) -> Any:
        """Call one Function."""
        (reply,) = await self.run([self.command(name, keys, arguments)])
        return reply

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip; raise the first error among their replies.

        A server that was restarted empty or whose Functions were flushed answers that it does not
        know them. Such a call did nothing, and so it is made again once the library is loaded.
        """
        replies = await self._client.call_all(commands)
        missing = [place for place, reply in enumerate(replies) if is_missing_function(reply)]
        if missing:
            await self.load()
            again = await self._client.call_all([commands[place] for place in missing])
            for place, reply in zip(missing, again, strict=True):
                replies[place] = reply
        return [checked(reply) for reply in replies]

    async def load(self) -> None:
        """Load the library unless another process was faster."""
        (reply,) = await self._client.call_all([("FUNCTION", "LOAD", self._library.source)])
        if not (isinstance(reply, ResponseError) and "already exists" in str(reply)):
            checked(reply)

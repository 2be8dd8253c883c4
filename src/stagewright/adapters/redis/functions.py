"""Calling the server's Functions by our names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagewright.adapters.redis.connection import Argument, Command, checked
from stagewright.adapters.redis.errors import partly
from stagewright.adapters.redis.library import library
from stagewright.adapters.redis.server import Server


class Functions:
    """The Functions of our library, and plain commands beside them."""

    def __init__(self, server: Server) -> None:
        self._server = server
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

        OutcomeUnknown when some were refused and others may have changed something.
        """
        replies = await self._server.call_all(commands)
        _check(commands, replies)
        return replies

    async def distrust(self) -> None:
        """Use no connection again that lies idle now: another one was found to be dead."""
        await self._server.distrust()


def _check(commands: Sequence[Command], replies: Sequence[Any]) -> None:
    refusals = [reply for reply in replies if isinstance(reply, Exception)]
    if not refusals:
        return
    changed = any(
        command[0] == "FCALL" and not isinstance(reply, Exception)
        for command, reply in zip(commands, replies, strict=True)
    )
    if changed:
        raise partly(refusals[0], len(refusals), len(replies)) from refusals[0]
    checked(refusals[0])

"""Dead letters on Redis."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.redis.letters import unpack_letter
from stagewright.adapters.redis.shared import Shared
from stagewright.domain.errors import NotFound
from stagewright.ports.dead_letters import DeadLetter


class RedisDeadLetters:
    """IDeadLetters: letters lie in the partition that their id names."""

    def __init__(self, shared: Shared) -> None:
        self._functions, self._keys = shared.functions, shared.keys

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return letters, newest first."""
        group = "all" if workflow_id is None else f"of {workflow_id}"
        behind = "" if after is None else await self._place(after)
        commands = [
            self._functions.command(
                "list_letters", [part.letters, part.letter_order], (group, behind, limit)
            )
            for part in self._keys.partitions
        ]
        letters = [
            unpack_letter(letter.decode(), packed)
            for flat in await self._functions.run(commands)
            for letter, packed in zip(flat[::2], flat[1::2], strict=True)
        ]
        letters.sort(key=lambda letter: (letter.at_ms, letter.letter_id), reverse=True)
        return letters[:limit]

    async def _place(self, letter_id: str) -> str:
        letter = await self.read(letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id, remedy="List again from the newest one.")
        return f"{letter.at_ms:013d}\t{letter_id}"

    async def read(self, letter_id: str) -> DeadLetter | None:
        """Return one letter."""
        if not self._keys.knows(letter_id):
            return None
        key = self._keys.of(letter_id).letters
        (packed,) = await self._functions.run([("HGET", key, letter_id)])
        return None if packed is None else unpack_letter(letter_id, packed)

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:  # noqa: ARG002  # the port's shape
        """Put a body into the inbox of the letter's partition and delete the letter."""
        if not self._keys.knows(letter_id):
            return False
        part = self._keys.of(letter_id)
        keys = (part.marks, part.inbox, part.letters, part.letter_order)
        return bool(await self._functions.call("redrive", keys, (letter_id, body)))

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        if not self._keys.knows(letter_id):
            return False
        part = self._keys.of(letter_id)
        keys = (part.letters, part.letter_order)
        return bool(await self._functions.call("discard", keys, (letter_id,)))

"""Dead letters in memory."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.memory.state import Namespace
from stagewright.domain.errors import NotFound
from stagewright.ports.dead_letters import DeadLetter


class MemoryDeadLetters:
    """IDeadLetters over the state of one process."""

    def __init__(self, state: Namespace) -> None:
        self._state = state

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return letters, newest first."""
        letters = [
            letter
            for partition in self._state.partitions
            for letter in partition.letters.values()
            if workflow_id in (None, letter.workflow_id)
        ]
        letters.sort(key=lambda letter: (letter.at_ms, letter.letter_id), reverse=True)
        start = 0 if after is None else _place(letters, after) + 1
        return letters[start : start + limit]

    async def read(self, letter_id: str) -> DeadLetter | None:
        """Return one letter."""
        return self._letters(letter_id).get(letter_id)

    def _letters(self, letter_id: str) -> dict[str, DeadLetter]:
        """Return the letters of the partition that an id names; none of one that there is not."""
        try:
            return self._state.partition_of(letter_id).letters
        except (ValueError, IndexError):
            return {}

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:  # noqa: ARG002
        """Put a body into the inbox of the letter's partition and delete the letter."""
        letter = self._letters(letter_id).pop(letter_id, None)
        if letter is None:
            return False
        self._state.deliver(letter.workflow_id or letter_id, body)
        return True

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        return self._letters(letter_id).pop(letter_id, None) is not None


def _place(letters: Sequence[DeadLetter], letter_id: str) -> int:
    for place, letter in enumerate(letters):
        if letter.letter_id == letter_id:
            return place
    raise NotFound("dead letter", letter_id, remedy="List again from the newest one.")

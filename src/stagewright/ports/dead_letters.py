"""Messages that could not be applied, kept with their reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be applied."""

    letter_id: str
    """`pNN-...`: names its partition."""
    workflow_id: str | None
    """As far as it could be told."""
    reason: str
    body: bytes
    at_ms: int


class IDeadLetters(Protocol):
    """Dead letters are written by `commit` and `reject`; here people deal with them."""

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return letters, newest first (of one workflow when named), after a letter's id.

        Raise NotFound when the letter named by `after` is gone: list again from the newest one.
        """
        ...

    async def read(self, letter_id: str) -> DeadLetter | None:
        """Return one letter."""
        ...

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:
        """Put `body` into the inbox of the letter's partition and delete the letter, atomically.

        False when the letter is gone: it was redriven or discarded before.
        """
        ...

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        ...

"""Dead letters in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from stagewright.adapters.sqlite.core import Core
from stagewright.adapters.sqlite.deliveries import Delivery, deliver
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.domain.errors import NotFound
from stagewright.ports.dead_letters import DeadLetter

_BEHIND_ALL = (2**63 - 1, "")


class SqliteDeadLetters:
    """IDeadLetters over one file."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def list(
        self, workflow_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Sequence[DeadLetter]:
        """Return letters, newest first."""
        place = _BEHIND_ALL if after is None else self._place(after)
        if workflow_id is None:
            rows = self._core.reader.rows("select_letters", (*place, limit))
        else:
            values = (*place, limit, workflow_id)
            rows = self._core.reader.rows("select_letters_of_workflow", values)
        return [DeadLetter(*row) for row in rows]

    def _place(self, letter_id: str) -> tuple[int, str]:
        row = self._core.reader.row("select_letter", (letter_id,))
        if row is None:
            raise NotFound("dead letter", letter_id, remedy="List again from the newest one.")
        return row[-1], letter_id

    async def read(self, letter_id: str) -> DeadLetter | None:
        """Return one letter."""
        row = self._core.reader.row("select_letter", (letter_id,))
        return None if row is None else DeadLetter(*row)

    async def redrive(self, letter_id: str, body: bytes, now_ms: int) -> bool:  # noqa: ARG002
        """Put a body into the inbox of the letter's partition and delete the letter."""

        def work(transaction: Transaction) -> bool:
            row = transaction.row("delete_letter", (letter_id,))
            if row is not None:
                deliver(transaction, self._core.hints, [Delivery(letter_id, row[0], body)])
            return row is not None

        return await self._core.writer.run(work)

    async def discard(self, letter_id: str) -> bool:
        """Delete a letter; whether it was there."""
        return await self._core.writer.run(
            lambda transaction: transaction.row("delete_letter", (letter_id,)) is not None
        )

"""What a request may do inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stagewright.adapters.sqlite.connection import Session
from stagewright.domain import ids
from stagewright.domain.errors import UsageError


class Transaction:
    """Statements, numbers and effects of the transaction that runs."""

    def __init__(self, session: Session, partitions: int) -> None:
        self.rows, self.row = session.rows, session.row
        self.change, self.change_many = session.change, session.change_many
        self.effects: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        """Calls to make on the event loop once the transaction is committed."""
        self._partitions = partitions
        ((self._last,),) = session.rows("select_meta", ("last",))
        self._saved = self._last

    def next_number(self) -> int:
        """Return a number greater than any drawn before; a failed request leaves a gap."""
        self._last += 1
        return int(self._last)

    def save_numbers(self) -> None:
        """Keep the newest number with the changes that use it."""
        if self._last != self._saved:
            self.change("set_meta", ("last", self._last))
            self._saved = self._last

    def after_commit(self, effect: Callable[..., None], *values: Any) -> None:
        """Make a call on the event loop before the request is answered."""
        self.effects.append((effect, values))

    def partition_of(self, id_: str) -> int:
        """Return the partition that an id names; raise UsageError when there is none such."""
        partition = ids.partition_of(id_)
        if partition >= self._partitions:
            raise UsageError(
                f"{id_!r} names partition {partition}; there are {self._partitions}, from 0.",
                remedy="Was it made for another namespace?",
            )
        return partition

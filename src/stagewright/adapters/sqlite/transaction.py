"""What a request may do inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from stagewright.adapters.sqlite.connection import Session
from stagewright.domain import ids
from stagewright.domain.errors import UsageError

RESERVED_AT_ONCE = 100_000


class Transaction:
    """Statements, numbers and effects of the transaction that runs."""

    def __init__(self, session: Session, partitions: int) -> None:
        self.rows, self.row = session.rows, session.row
        self.change, self.change_many = session.change, session.change_many
        self.effects: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        """Calls to make on the event loop once the transaction is committed."""
        self._partitions = partitions
        ((self._reserved,),) = session.rows("select_meta", ("reserved",))
        self._last = self._reserved

    def next_number(self) -> int:
        """Return a number greater than any drawn before, in whatever process; gaps occur."""
        self._last += 1
        return int(self._last)

    def reserve_numbers(self) -> Callable[[], None]:
        """Set numbers aside when few are left, so that most transactions need not write them.

        Outside every savepoint, as the last thing before COMMIT: no number is used before a bound
        above it is stored. Return what takes the reservation back when COMMIT fails.
        """
        before = self._reserved
        if before - self._last < RESERVED_AT_ONCE // 2:
            self._reserved = self._last + RESERVED_AT_ONCE
            self.change("set_meta", ("reserved", self._reserved))
        return partial(setattr, self, "_reserved", before)

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

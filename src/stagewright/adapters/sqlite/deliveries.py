"""Putting messages into inboxes inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for an inbox."""

    address: str
    """An id that names the partition."""
    workflow_id: str | None
    """As far as known."""
    body: bytes
    task_id: str | None = None
    """The task whose lease was proved, with its token."""
    token: int | None = None


def deliver(transaction: Transaction, hints: Hints, messages: Iterable[Delivery]) -> None:
    """Append messages."""
    rows = [
        (
            *(transaction.next_number(), transaction.partition_of(one.address)),
            *(one.workflow_id, one.body, one.task_id, one.token),
        )
        for one in messages
    ]
    if not rows:
        return
    transaction.change_many("insert_message", rows)
    for partition in {row[1] for row in rows}:
        transaction.after_commit(hints.inbox_grew, partition, rows[-1][0])

"""Putting messages into inboxes inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable

from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.transaction import Transaction


def deliver(
    transaction: Transaction, hints: Hints, messages: Iterable[tuple[str, str | None, bytes]]
) -> None:
    """Append messages: an id that names the partition, the workflow as far as known, the body."""
    rows = [
        (transaction.next_number(), transaction.partition_of(id_), workflow_id, body)
        for id_, workflow_id, body in messages
    ]
    if not rows:
        return
    transaction.change_many("insert_message", rows)
    for partition in {partition for _, partition, _, _ in rows}:
        transaction.after_commit(hints.inbox_grew, partition, rows[-1][0])

"""Putting messages into inboxes inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable

from stagewright.adapters.sqlite.hints import Hints
from stagewright.adapters.sqlite.transaction import Transaction


def deliver(
    transaction: Transaction, hints: Hints, messages: Iterable[tuple[str, str | None, bytes]]
) -> None:
    """Append messages: an id that names the partition, the workflow as far as known, the body."""
    rows: list[tuple[int, int, str | None, bytes]] = []
    told: dict[int, list[str]] = {}
    for id_, workflow_id, body in messages:
        partition = transaction.partition_of(id_)
        rows.append((transaction.next_number(), partition, workflow_id, body))
        told.setdefault(partition, []).append(workflow_id or id_)
    if not rows:
        return
    transaction.change_many("insert_message", rows)
    for partition, ids in told.items():
        transaction.after_commit(hints.inbox_grew, partition, rows[-1][0], ids)

"""The feed: reading it by cursors, and trimming what was kept long enough."""

from __future__ import annotations

import re

from stagewright.adapters.sqlite.migrations import Namespace
from stagewright.adapters.sqlite.reader import Reader
from stagewright.adapters.sqlite.transaction import Transaction
from stagewright.adapters.sqlite.writer import Writer
from stagewright.domain.errors import CursorExpired, CursorInvalid
from stagewright.ports.message_bus import FeedEntry

NOW = "now"
_CURSOR = re.compile(r"([0-9a-f]{8})\.([0-9]{1,18})")
LAST = (1 << 63) - 1
"""A place behind all others."""
_TRIMMED_AT_ONCE = 1_000
_MOST_LATE_MS = 60_000
"""Writers trim no sooner than this after an entry's time, so that they do it seldom."""


class Feed:
    """Places on the feed are numbers of the namespace's counter; a cursor names the last one read.

    Entries up to the number `trimmed` in meta are gone from the feed. Their bodies stay as long as
    a workflow's log has them.
    """

    def __init__(
        self, writer: Writer, reader: Reader, namespace: Namespace, retention_s: float
    ) -> None:
        self._writer, self._reader, self._namespace = writer, reader, namespace
        self._retention_ms = round(retention_s * 1000)
        self._late_ms = min(_MOST_LATE_MS, self._retention_ms // 10)
        self._head_at_ms: int | None = None
        """Time of the oldest entry as the writer last saw it; None: look."""

    async def start(self, cursor: str | None, now_ms: int) -> int:
        """Return the place behind which to read; raise CursorExpired or CursorInvalid."""
        await self._trim_all(now_ms)
        trimmed, end = self._trimmed(), self._end()
        if cursor is None:
            return trimmed
        if cursor == NOW:
            return end
        incarnation, place = _parse(cursor)
        if incarnation != self._namespace.incarnation or not trimmed <= place <= end:
            raise CursorExpired(cursor, oldest=self._cursor(trimmed))
        return place

    def read(self, after: int, limit: int, last: int = LAST) -> tuple[list[FeedEntry], str]:
        """Return at most `limit` entries up to the place `last`, and the cursor behind them."""
        rows = self._reader.rows("select_feed", (max(after, self._trimmed()), limit, last))
        entries = [
            FeedEntry(workflow_id, kind, body, self._cursor(place))
            for place, workflow_id, kind, body in rows
        ]
        return entries, entries[-1].cursor if entries else self._cursor(after)

    def trim_late(self, transaction: Transaction, now_ms: int) -> None:
        """Trim some of what is overdue. For the writer, with every new entry."""
        if self._head_at_ms is None:
            head = transaction.row("select_feed_head", (_trimmed_in(transaction),))
            self._head_at_ms = head[0] if head else now_ms
        before_ms = now_ms - self._retention_ms
        if self._head_at_ms < before_ms - self._late_ms:
            self._trim(transaction, before_ms)

    def _trim(self, transaction: Transaction, before_ms: int) -> None:
        trimmed = _trimmed_in(transaction)
        row = transaction.row("select_trimmable", (trimmed, before_ms, _TRIMMED_AT_ONCE))
        if row and row[0] is not None:
            transaction.change("trim_feed", (trimmed, row[0]))
            transaction.change("set_meta", ("trimmed", row[0]))
        self._head_at_ms = None

    async def _trim_all(self, now_ms: int) -> None:
        before_ms = now_ms - self._retention_ms
        while (head := self._reader.row("select_feed_head", (self._trimmed(),))) is not None:
            if head[0] >= before_ms:
                return
            await self._writer.run(lambda transaction: self._trim(transaction, before_ms))

    def _trimmed(self) -> int:
        ((trimmed,),) = self._reader.rows("select_meta", ("trimmed",))
        return int(trimmed)

    def _end(self) -> int:
        ((end,),) = self._reader.rows("select_feed_end")
        return max(end or 0, self._trimmed())

    def _cursor(self, place: int) -> str:
        return f"{self._namespace.incarnation}.{place}"


def _trimmed_in(transaction: Transaction) -> int:
    ((trimmed,),) = transaction.rows("select_meta", ("trimmed",))
    return int(trimmed)


def _parse(cursor: str) -> tuple[str, int]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise CursorInvalid(cursor)
    return match[1], int(match[2])

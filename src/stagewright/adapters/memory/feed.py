"""Reading the feeds of all partitions as one, by a cursor that names a place in each."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice

from stagewright.adapters.memory.state import Fed, Namespace
from stagewright.domain.errors import CursorExpired, CursorInvalid
from stagewright.ports.message_bus import FeedEntry

NOW = "now"


def start(state: Namespace, cursor: str | None, now_ms: int) -> list[int]:
    """Return the entry read last in each partition; raise CursorExpired or CursorInvalid."""
    for partition in state.partitions:
        state.trim(partition, now_ms)
    if cursor is None:
        return [partition.trimmed for partition in state.partitions]
    if cursor == NOW:
        return [partition.fed for partition in state.partitions]
    incarnation, after = _parse(cursor)
    trimmed = (at < part.trimmed for at, part in zip(after, state.partitions, strict=False))
    if incarnation != state.incarnation or any(trimmed):
        raise CursorExpired(cursor, oldest=_cursor(state, start(state, None, now_ms)))
    if len(after) != len(state.partitions):
        raise CursorInvalid(cursor)
    return after


def read(
    state: Namespace, after: Sequence[int], limit: int, end: Sequence[int] | None = None
) -> tuple[list[FeedEntry], str]:
    """Return at most `limit` entries, in the order they were fed, and the cursor behind them.

    `end` names the last entry of each partition that may be read.
    """
    place = list(after)
    entries: list[FeedEntry] = []
    last = [None] * len(place) if end is None else end
    feeds = (_behind(state, number, at, last[number]) for number, at in enumerate(after))
    for _, number, fed in islice(heapq.merge(*feeds), limit):
        place[number] += 1
        entries.append(FeedEntry(fed.workflow_id, fed.kind, fed.body, _cursor(state, place)))
    return entries, _cursor(state, place)


def _behind(
    state: Namespace, number: int, after: int, last: int | None
) -> Iterator[tuple[int, int, Fed]]:
    """Yield one feed's entries; those trimmed since the reader began to wait are passed over."""
    feed = state.partitions[number].feed
    at = after + 1
    while (last is None or at <= last) and (fed := feed.get(at)) is not None:
        yield fed.arrival, number, fed
        at += 1


def _cursor(state: Namespace, place: Sequence[int]) -> str:
    return f"{state.incarnation}.{'-'.join(map(str, place))}"


def _parse(cursor: str) -> tuple[str, list[int]]:
    incarnation, _, places = cursor.partition(".")
    try:
        return incarnation, [int(place) for place in places.split("-")]
    except ValueError:
        raise CursorInvalid(cursor) from None

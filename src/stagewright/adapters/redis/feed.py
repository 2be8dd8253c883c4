"""Reading the feeds of all partitions as one, by a cursor that names a place in each.

An entry of a feed holds the records of all workflows that one call committed; a place is the id of
an entry and, when only some of its records were read, how many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stagewright.adapters.redis.readers import Readers
from stagewright.adapters.redis.shared import Shared
from stagewright.domain.errors import CursorExpired, CursorInvalid
from stagewright.ports.message_bus import FeedEntry

NOW = "now"
FIRST_ENTRIES = 32
"""Entries of each partition in the first read; then as many as seem to be needed."""
MOST_ENTRIES = 1_024

_PLACE = re.compile(r"([0-9a-f]{0,32})~(\d{1,19})-(\d{1,19})(?:~(\d{1,9}))?", re.ASCII)


class Place(NamedTuple):
    """How far one feed was read. Places of one feed are ordered."""

    ms: int
    sequence: int
    taken: int = 0
    """Records read of this entry, 0 when all were."""

    @property
    def id(self) -> str:
        """The entry's id."""
        return f"{self.ms}-{self.sequence}"

    @classmethod
    def at(cls, id_: bytes | str, taken: int = 0) -> Place:
        """Return the place of an entry."""
        text = id_ if isinstance(id_, str) else id_.decode()
        ms, _, sequence = text.partition("-")
        return cls(int(ms), int(sequence), taken)


@dataclass(frozen=True, slots=True)
class State:
    """Where one feed begins and ends."""

    incarnation: str
    gone: Place
    last: Place
    missed: bool


class Feed:
    """The feeds of all partitions."""

    def __init__(self, shared: Shared, readers: Readers) -> None:
        self._functions, self._keys, self._clock = shared.functions, shared.keys, shared.clock
        self._readers, self._retention_ms = readers, shared.feed_retention_ms

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return entries behind a cursor; see IMessageBus."""
        give_up_ms = self._clock.now_ms() + round(wait_s * 1000)
        incarnations, places = await self._start(cursor)
        while True:
            entries = await self._read(places, incarnations, limit)
            now_ms = self._clock.now_ms()
            if entries or now_ms >= give_up_ms:
                return entries, _spell(incarnations, places)
            await self._wait(places, (give_up_ms - now_ms) / 1000)

    async def _start(self, cursor: str | None) -> tuple[list[str], list[Place]]:
        if cursor is None or cursor == NOW:
            states = await self._states(None)
            places = [state.gone if cursor is None else state.last for state in states]
            return [state.incarnation for state in states], places
        read = _parse(cursor, len(self._keys.partitions))
        states = await self._states([place for _, place in read])
        incarnations = [state.incarnation for state in states]
        changed = incarnations != [incarnation for incarnation, _ in read]
        if changed or any(state.missed for state in states):
            oldest = _spell(incarnations, [state.gone for state in states])
            raise CursorExpired(cursor, oldest=oldest)
        return incarnations, [place for _, place in read]

    async def _states(self, read: Sequence[Place] | None) -> list[State]:
        horizon = max(0, self._clock.now_ms() - self._retention_ms)
        commands = [
            self._functions.command(
                "feed_state",
                [part.marks, part.feed],
                (horizon, "", 1) if read is None else _told(horizon, read[part.number]),
            )
            for part in self._keys.partitions
        ]
        return [
            State(incarnation.decode(), Place.at(gone), Place.at(last), bool(missed))
            for incarnation, gone, last, missed in await self._functions.run(commands)
        ]

    async def _read(
        self, places: list[Place], incarnations: Sequence[str], limit: int
    ) -> list[FeedEntry]:
        """Read at most `limit` records and move the places behind them."""
        found: list[FeedEntry] = []
        open_, count, seen = list(range(len(places))), FIRST_ENTRIES, 0
        while open_ and len(found) < limit:
            replies = await self._functions.run(
                [self._range(number, places[number], count) for number in open_]
            )
            rows = sorted(_rows(open_, places, replies))
            for place, number, whole, kind, workflow_id, body in rows[: limit - len(found)]:
                places[number] = Place(place.ms, place.sequence) if whole else place
                cursor = _spell(incarnations, places)
                found.append(FeedEntry(workflow_id, kind, body, cursor))
            open_ = [
                number for number, reply in zip(open_, replies, strict=True) if len(reply) >= count
            ]
            seen += sum(map(len, replies))
            count = min(MOST_ENTRIES, max(FIRST_ENTRIES, limit * seen // max(1, len(found))))
        return found

    def _range(self, number: int, place: Place, count: int) -> tuple[str | int, ...]:
        start = place.id if place.taken else f"({place.id}"
        return ("XRANGE", self._keys.partitions[number].feed, start, "+", "COUNT", count)

    async def _wait(self, places: Sequence[Place], delay_s: float) -> None:
        parts = self._keys.partitions
        positions = {part.feed: places[part.number].id for part in parts}
        async with self._readers.reader(positions, 1) as reader:
            await reader.wait_or_sleep(positions, 1, self._clock, delay_s)


def _rows(
    numbers: Sequence[int], places: Sequence[Place], replies: Sequence[Any]
) -> Iterable[tuple[Place, int, bool, str, str, bytes]]:
    """Yield (place, partition, whether its entry ends there, kind, workflow, body) of records."""
    for number, reply in zip(numbers, replies, strict=True):
        for id_, fields in reply:
            count = len(fields) // 2
            for taken in range(1, count + 1):
                place = Place.at(id_, taken)
                if place <= places[number] and places[number].taken:
                    continue
                kind, _, workflow_id = fields[2 * taken - 2].decode().partition(":")
                yield place, number, taken == count, kind, workflow_id, fields[2 * taken - 1]


def _told(horizon_ms: int, place: Place) -> tuple[int, str, int]:
    return horizon_ms, place.id, int(place.taken == 0)


def _spell(incarnations: Sequence[str], places: Sequence[Place]) -> str:
    return ".".join(
        f"{incarnation}~{place.id}~{place.taken}" if place.taken else f"{incarnation}~{place.id}"
        for incarnation, place in zip(incarnations, places, strict=True)
    )


def _parse(cursor: str, partitions: int) -> list[tuple[str, Place]]:
    found = [_PLACE.fullmatch(part) for part in cursor.split(".")]
    if len(found) != partitions or None in found:
        raise CursorInvalid(cursor)
    return [
        (part[1], Place(int(part[2]), int(part[3]), int(part[4] or 0)))
        for part in found
        if part is not None
    ]

"""Reading the feeds of all partitions as one, by a cursor that names a place in each.

An entry of a feed holds the records of all workflows that one call committed; a place is the id of
an entry and, when only some of its records were read, how many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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


class State(NamedTuple):
    """Where one feed begins and ends."""

    incarnation: str
    gone: Place
    """The newest entry that was dropped."""
    fed: Place
    """The newest entry."""

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> State:
        """Read the marks of a partition."""
        incarnation, gone, fed = (value or b"" for value in values)
        return cls(incarnation.decode(), Place.at(gone or b"0-0"), Place.at(fed or b"0-0"))

    def missed(self, read: Place) -> bool:
        """Whether a reader has missed something, or has read what is there no more."""
        behind = read < self.gone or (read.id == self.gone.id and read.taken > 0)
        return behind or Place(read.ms, read.sequence) > self.fed


Replies = Mapping[int, Sequence[Any]]
"""Entries by partition, as Redis answers."""


class Feed:
    """The feeds of all partitions."""

    def __init__(self, shared: Shared, readers: Readers) -> None:
        self._functions, self._keys, self._clock = shared.functions, shared.keys, shared.clock
        self._readers, self._retention_ms = readers, shared.feed_retention_ms
        self._numbers = {part.feed: part.number for part in self._keys.partitions}

    async def replay(
        self, cursor: str | None, limit: int, wait_s: float, until: str | None
    ) -> tuple[Sequence[FeedEntry], str]:
        """Return entries behind a cursor; see IMessageBus."""
        give_up_ms = self._clock.now_ms() + round(wait_s * 1000)
        begun = await self._begin(cursor, until)
        entries = await self._read(begun, limit)
        while not entries and (left_ms := give_up_ms - self._clock.now_ms()) > 0:
            entries = await self._wait(begun, limit, left_ms / 1000)
        return entries, begun.spell()

    async def _begin(self, cursor: str | None, until: str | None) -> Reading:
        parts = self._keys.partitions
        read = None if cursor in (None, NOW) else _parse(cursor or "", len(parts))
        states = [
            State.of(values)
            for values in await self._functions.run(
                [("HMGET", part.marks, "incarnation", "gone", "fed") for part in parts]
            )
        ]
        horizon_ms = self._clock.now_ms() - self._retention_ms
        if read is None:
            places = [state.fed if cursor == NOW else state.gone for state in states]
            return Reading(states, places, horizon_ms, cursor, _ends(until, len(parts)))
        changed = [name for name, _ in read] != [state.incarnation for state in states]
        places = [place for _, place in read]
        begun = Reading(states, places, horizon_ms, cursor, _ends(until, len(parts)))
        if changed or any(map(State.missed, states, places)):
            raise begun.expired()
        return begun

    async def _read(self, reading: Reading, limit: int) -> list[FeedEntry]:
        """Return what is there, at most `limit` records, and move the places behind them."""
        found: list[FeedEntry] = []
        open_, count, seen = list(range(len(reading.places))), FIRST_ENTRIES, 0
        while open_ and len(found) < limit:
            commands = [self._range(number, reading, count) for number in open_]
            replies = dict(zip(open_, await self._functions.run(commands), strict=True))
            found += reading.take(replies, limit - len(found))
            open_ = [number for number, reply in replies.items() if len(reply) >= count]
            seen += sum(map(len, replies.values()))
            count = min(MOST_ENTRIES, max(FIRST_ENTRIES, limit * seen // max(1, len(found))))
        return found

    def _range(self, number: int, reading: Reading, count: int) -> tuple[str | int, ...]:
        place, last = reading.places[number], reading.ends[number]
        start = place.id if place.taken else f"({place.id}"
        end = "+" if last is None else last.id
        return ("XRANGE", self._keys.partitions[number].feed, start, end, "COUNT", count)

    async def _wait(self, reading: Reading, limit: int, delay_s: float) -> list[FeedEntry]:
        """Return the next records; all that were there were read before."""
        places = reading.places
        positions = {part.feed: places[part.number].id for part in self._keys.partitions}
        async with self._readers.reader(positions, FIRST_ENTRIES) as reader:
            found = await reader.wait_or_sleep(positions, FIRST_ENTRIES, self._clock, delay_s)
        replies = {self._numbers[stream]: entries for stream, entries in found.items()}
        return reading.take(replies, limit)


@dataclass(slots=True)
class Reading:
    """How far a reader has come."""

    states: Sequence[State]
    places: list[Place]
    horizon_ms: int
    """What is older has been kept long enough, dropped or not."""
    cursor: str | None
    """Where it began."""
    ends: Sequence[Place | None]
    """Where each feed ends for this reader; None: where it ends."""

    def take(self, replies: Replies, limit: int) -> list[FeedEntry]:
        """Return the oldest records, and move the places behind them."""
        found: list[FeedEntry] = []
        for place, number, whole, kind, workflow_id, body in sorted(_rows(self.places, replies)):
            if len(found) == limit:
                break
            if _beyond(self.ends[number], place):
                continue
            self.places[number] = Place(place.ms, place.sequence) if whole else place
            if place.ms >= self.horizon_ms:
                found.append(FeedEntry(workflow_id, kind, body, self.spell()))
            elif self.cursor is not None:
                raise self.expired()
        return found

    def spell(self) -> str:
        """Return the cursor of these places."""
        return _spell([state.incarnation for state in self.states], self.places)

    def expired(self) -> CursorExpired:
        """Say that the reader has missed something."""
        names = [state.incarnation for state in self.states]
        return CursorExpired(
            self.cursor or "", oldest=_spell(names, [state.gone for state in self.states])
        )


def _rows(
    places: Sequence[Place], replies: Replies
) -> Iterable[tuple[Place, int, bool, str, str, bytes]]:
    """Yield (place, partition, whether its entry ends there, kind, workflow, body) of records."""
    for number, reply in replies.items():
        for id_, fields in reply:
            count = len(fields) // 2
            for taken in range(1, count + 1):
                place = Place.at(id_, taken)
                if place <= places[number] and places[number].taken:
                    continue
                kind, _, workflow_id = fields[2 * taken - 2].decode().partition(":")
                yield place, number, taken == count, kind, workflow_id, fields[2 * taken - 1]


def _ends(until: str | None, partitions: int) -> Sequence[Place | None]:
    if until is None:
        return [None] * partitions
    return [place for _, place in _parse(until, partitions)]


def _beyond(last: Place | None, place: Place) -> bool:
    """Whether a record stands behind the last that may be read."""
    if last is None:
        return False
    return place > last if last.taken else (place.ms, place.sequence) > (last.ms, last.sequence)


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

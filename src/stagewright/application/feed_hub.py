"""The hub: one reader of the feed in a process, however many follow it.

It reads while somebody listens, from the end of the feed on. Who comes with an older position reads
up to the hub's own place and goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import structlog

from stagewright.application.feed_seat import Batch, Seat, Word
from stagewright.application.feed_told import Facts, Message, Told, told_entry
from stagewright.domain.errors import CursorExpired, StagewrightError
from stagewright.domain.snapshot import SnapshotUnreadable, decode_state
from stagewright.ports.backend import Backend
from stagewright.ports.live import HEARTBEAT, NOW
from stagewright.ports.message_bus import FeedEntry
from stagewright.ports.system import IClock
from stagewright.ports.workflow_store import Stored

log = structlog.get_logger(__name__)

PAGE = 500
WAIT_S = 30.0
HEARTBEAT_S = 15.0
PAUSE_S = 1.0
"""After the backend did not answer."""
FACTS_KEPT = 20_000
FEW_READERS = 20
GATHER_S_PER_READER = 0.0001
MOST_GATHER_S = 0.25
"""The more readers there are, the longer is gathered what they are told together."""


class Hub:
    """Reads the feed once and tells all seats."""

    def __init__(self, backend: Backend, clock: IClock) -> None:
        self._backend, self._clock = backend, clock
        self._everybody: set[Seat] = set()
        self._by_workflow: dict[str, set[Seat]] = {}
        self._facts: OrderedDict[str, Facts] = OrderedDict()
        self._asked: list[Callable[[], None]] = []
        self._nudged = asyncio.Event()
        self._door = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._seats = 0
        self.cursor = ""
        """The feed's position behind all that was told."""
        self.losses = 0
        """How often what was not told yet could not be found any more."""

    @property
    def readers(self) -> int:
        """How many sit here."""
        return self._seats

    @asynccontextmanager
    async def seated(self, seat: Seat) -> AsyncIterator[None]:
        """Tell a seat everything behind `cursor`, as it is on entering."""
        async with self._door:
            if not self._tasks:
                _, self.cursor = await self._backend.bus.replay(NOW, 1)
                self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._beat())]
        self._seats += 1
        for seats in self._circles(seat):
            seats.add(seat)
        try:
            yield
        finally:
            await asyncio.shield(self._leave(seat))

    def _circles(self, seat: Seat) -> Iterable[set[Seat]]:
        if not seat.workflow_ids:
            return [self._everybody]
        return [self._by_workflow.setdefault(id_, set()) for id_ in seat.workflow_ids]

    async def _leave(self, seat: Seat) -> None:
        for seats in self._circles(seat):
            seats.discard(seat)
        for id_ in seat.workflow_ids:
            if not self._by_workflow[id_]:
                del self._by_workflow[id_]
        self._seats -= 1
        async with self._door:
            if self._seats == 0:
                await self._close()

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def caught_up(self, seat: Seat) -> str:
        """Return the hub's cursor once it is behind all that was on the feed at the call.

        The seat is empty then: what it is told from there on stands behind that cursor.
        """
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def settle() -> None:
            seat.clear()
            if not done.done():
                done.set_result(self.cursor)

        self._ask(settle)
        return await done

    def settle(self, seat: Seat) -> None:
        """Tell a seat when all that was on the feed at this call has been told."""
        self._ask(lambda: seat.put(Batch(Word.SETTLED)))

    def _ask(self, when_settled: Callable[[], None]) -> None:
        self._asked.append(when_settled)
        self._nudged.set()

    def stop(self) -> None:
        """Tell all readers that the server goes away."""
        self._tell_all(Batch(Word.STOP))

    def tell(self, batch: Batch, workflow_id: str | None = None) -> None:
        """Tell those who follow everything, or those who follow one workflow."""
        seats = self._everybody if workflow_id is None else self._by_workflow.get(workflow_id, ())
        for seat in tuple(seats):
            seat.put(batch)

    def _tell_all(self, batch: Batch) -> None:
        for seat in {*self._everybody, *(s for some in self._by_workflow.values() for s in some)}:
            seat.put(batch)

    async def _run(self) -> None:
        while True:
            try:
                woken = await self._round()
            except CursorExpired:
                await self._lose()
            except StagewrightError as error:
                log.warning("feed_unreadable", error=str(error))
                await self._clock.sleep(PAUSE_S)
            except Exception:
                log.exception("feed_reader_failed")
                await self._lose()  # what it stumbled over would make it stumble again
            else:
                if woken > FEW_READERS:
                    await self._clock.sleep(min(MOST_GATHER_S, woken * GATHER_S_PER_READER))

    async def _round(self) -> int:
        """Read what is new and tell it; return how many were told."""
        self._nudged.clear()
        asked = len(self._asked)
        entries, cursor = await self._read(0.0 if asked else WAIT_S)
        told = await self.told(entries, self.cursor)
        woken = self._spread(told, cursor)
        self.cursor = cursor
        if len(entries) < PAGE:
            settled, self._asked = self._asked[:asked], self._asked[asked:]
            for when_settled in settled:
                when_settled()
        return woken

    async def _read(self, wait_s: float) -> tuple[Sequence[FeedEntry], str]:
        """Read behind the hub's place; nothing when somebody asks meanwhile for a fresh look."""
        reading = asyncio.ensure_future(self._backend.bus.replay(self.cursor, PAGE, wait_s))
        nudged = asyncio.ensure_future(self._nudged.wait()) if wait_s else reading
        try:
            await asyncio.wait({reading, nudged}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else ((), self.cursor)
        finally:
            nudged.cancel()
            reading.cancel()
            await asyncio.wait({reading, nudged})
            _ = reading.cancelled() or reading.exception()  # looked at, so that nobody misses it

    async def told(self, entries: Sequence[FeedEntry], begun: str) -> list[Told]:
        """Return entries as they are told; `begun` is the cursor before the first."""
        records = [_record_of(entry) for entry in entries]
        facts = await self._facts_of(_first_records(entries, records))
        befores = [begun, *(entry.cursor for entry in entries)]
        return [
            told_entry(entry, before, facts[entry.workflow_id], record)
            for entry, before, record in zip(entries, befores, records, strict=False)
            if record is not None
        ]

    async def _facts_of(self, records: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Facts]:
        """Return the facts of workflows, from the first of their records here or from the store."""
        for id_, record in records.items():
            if (created := _created(record)) is not None:
                self._keep(id_, created)
        unknown = [id_ for id_ in records if id_ not in self._facts]
        for id_, stored in zip(unknown, await self._loaded(unknown), strict=True):
            self._keep(id_, _facts_in(stored))
        found = {id_: self._facts[id_] for id_ in records}
        while len(self._facts) > FACTS_KEPT:
            self._facts.popitem(last=False)
        return found

    async def _loaded(self, unknown: Sequence[str]) -> Sequence[object]:
        return await self._backend.store.load(unknown) if unknown else ()

    def _keep(self, workflow_id: str, facts: Facts) -> None:
        self._facts[workflow_id] = facts
        self._facts.move_to_end(workflow_id)

    def _spread(self, told: Sequence[Told], cursor: str) -> int:
        """Put what was read before all seats that it concerns; return how many."""
        if not told:
            return 0
        self.tell(Batch(Word.EVENTS, cursor, told=told))
        mine: dict[Seat, list[Told]] = {}
        for one in told:
            for seat in self._by_workflow.get(one.workflow_id, ()):
                mine.setdefault(seat, []).append(one)
        for seat, some in mine.items():
            seat.put(Batch(Word.EVENTS, cursor, told=some))
        return len(self._everybody) + len(mine)

    async def _lose(self) -> None:
        """Go on from the end of the feed, and tell everybody that something is missing."""
        with suppress(StagewrightError):
            _, self.cursor = await self._backend.bus.replay(NOW, 1)
            self.losses += 1
            log.warning("feed_position_lost")
            self._tell_all(Batch(Word.GAP, self.cursor))
            return
        await self._clock.sleep(PAUSE_S)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            self._tell_all(Batch(Word.BEAT, messages=[Message(HEARTBEAT, id=self.cursor)]))


def _record_of(entry: FeedEntry) -> Mapping[str, Any] | None:
    """Return the record of an entry; None for one that no program of ours has written."""
    try:
        record = orjson.loads(entry.body)
    except orjson.JSONDecodeError:
        record = None
    if not isinstance(record, dict):
        log.warning("feed_entry_unreadable", workflow_id=entry.workflow_id, kind=entry.kind)
        return None
    return record


def _first_records(
    entries: Sequence[FeedEntry], records: Sequence[Mapping[str, Any] | None]
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for entry, record in zip(entries, records, strict=True):
        if record is not None:
            found.setdefault(entry.workflow_id, record)
    return found


def _created(record: Mapping[str, Any]) -> Facts | None:
    """Return the facts that the first step of a workflow states."""
    for event in record.get("events", ()):
        if event["type"] == "WORKFLOW_CREATED":
            return Facts(event["name"], event.get("labels", {}))
    return None


def _facts_in(stored: object) -> Facts:
    if not isinstance(stored, Stored):
        return Facts()
    try:
        state = decode_state(stored.snapshot)
    except SnapshotUnreadable:
        return Facts()
    return Facts(state.name, dict(state.labels))

"""What the feed must do."""

from __future__ import annotations

import asyncio

import pytest

from stagewright.domain.errors import CursorExpired, CursorInvalid
from stagewright.domain.records import but
from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import FeedEntry, Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.bus_waiting import begun
from stagewright.testing.contracts.harness import FEED_RETENTION_S, Harness, at_once, drive
from stagewright.testing.contracts.samples import committed, start, then, workflow

ONE, TWO = workflow(1, 1), workflow(2, 3)
MANY = 1_200
"""Entries of one partition within its retention: more than a feed that counts them would keep."""


async def note(backend: Backend, clock: VirtualClock, *messages: Message) -> None:
    """Publish notes."""
    await backend.bus.publish(Topic.NOTES, messages, clock.now_ms())


async def everything(
    backend: Backend, cursor: str | None = None, limit: int = 7
) -> list[FeedEntry]:
    """Read to the end, page by page."""
    found: list[FeedEntry] = []
    while True:
        entries, cursor = await backend.bus.replay(cursor, limit)
        assert len(entries) <= limit
        if not entries:
            return found
        found += entries


async def busy(backend: Backend, clock: VirtualClock, steps: int = 5) -> list[str]:
    """Let one workflow of each partition take some steps, with notes between; return their ids."""
    ids = [workflow(partition, partition) for partition in range(4)]
    last = [start(id_, log=(b"step 1",)) for id_ in ids]
    await committed(backend, clock, *last)
    for number in range(2, steps + 1):
        await note(backend, clock, *(Message(id_, b"note %d" % number) for id_ in ids))
        last = [then(commit, log=(b"step %d" % number,)) for commit in last]
        await committed(backend, clock, *last)
    return ids


def of(workflow_id: str, entries: list[FeedEntry]) -> list[tuple[str, bytes]]:
    """Return kind and body of one workflow's entries."""
    return [(entry.kind, entry.body) for entry in entries if entry.workflow_id == workflow_id]


class ReplayContract:
    """Every step record and note stands on the feed, in the order of its workflow."""

    async def test_an_empty_feed_gives_a_cursor_to_begin_with(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        entries, cursor = await backend.bus.replay(None, 10)
        assert list(entries) == []
        await committed(backend, clock, start(ONE, log=(b"first",)))
        assert of(ONE, await everything(backend, cursor)) == [("step", b"first")]

    async def test_each_workflows_entries_come_in_their_order(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        ids = await busy(backend, clock, steps=3)
        wanted = ["step 1", "note 2", "step 2", "note 3", "step 3"]
        entries = await everything(backend)
        for id_ in ids:
            assert of(id_, entries) == [(text.split()[0], text.encode()) for text in wanted]
        assert len(entries) == 5 * len(ids)

    async def test_a_reader_up_to_a_place_and_one_from_there_miss_and_repeat_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        ids = await busy(backend, clock, steps=3)
        some, place = await backend.bus.replay(None, 9)
        before: list[FeedEntry] = []
        cursor: str | None = None
        while page := await backend.bus.replay(cursor, 2, until=place):
            if not page[0]:
                break
            before, cursor = [*before, *page[0]], page[1]
        after = await everything(backend, page[1])
        assert len(before) == len(some) == 9
        everything_once = [*before, *after]
        for id_ in ids:
            assert of(id_, everything_once) == of(id_, await everything(backend))

    async def test_each_record_of_a_step_is_an_entry(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE, log=(b"\x001", b"2", b"3")))
        entries = await everything(backend)
        assert of(ONE, entries) == [("step", b"\x001"), ("step", b"2"), ("step", b"3")]

    async def test_every_entrys_cursor_continues_behind_it(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await busy(backend, clock, steps=3)
        entries = await everything(backend, limit=100)
        assert len({entry.cursor for entry in entries}) == len(entries)
        for place, entry in enumerate(entries):
            rest = await everything(backend, entry.cursor, limit=100)
            assert sorted(of_all(rest)) == sorted(of_all(entries[place + 1 :]))

    @pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
    async def test_pages_together_hold_everything_once(
        self, backend: Backend, clock: VirtualClock, limit: int
    ) -> None:
        ids = await busy(backend, clock)
        entries = await everything(backend, limit=limit)
        whole = sorted(of_all(await everything(backend, limit=1_000)))
        assert sorted(of_all(entries)) == whole
        assert len(whole) == len(set(whole)) == 9 * len(ids)

    async def test_now_begins_behind_the_last_entry(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await busy(backend, clock, steps=2)
        entries, cursor = await backend.bus.replay("now", 10)
        assert list(entries) == []
        await note(backend, clock, Message(workflow(0, 0), b"later"))
        assert [entry.body for entry in await everything(backend, cursor)] == [b"later"]

    async def test_reading_the_feed_changes_nothing(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await busy(backend, clock, steps=2)
        assert await everything(backend) == await everything(backend)

    async def test_a_new_entry_wakes_the_reader_at_once(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        _, cursor = await backend.bus.replay("now", 10)
        reading = asyncio.ensure_future(backend.bus.replay(cursor, 10, wait_s=60))
        await begun(clock)
        assert not reading.done()
        await committed(backend, clock, start(TWO, log=(b"news",)))
        entries, _ = await at_once(reading)
        assert [entry.body for entry in entries] == [b"news"]

    async def test_a_reader_of_the_feed_does_not_wait_for_ever(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        _, cursor = await backend.bus.replay("now", 10)
        entries, end = await drive(clock, backend.bus.replay(cursor, 10, wait_s=2))
        assert list(entries) == []
        await committed(backend, clock, start(ONE))
        assert len(await everything(backend, end)) == 1

    async def test_a_reader_returns_what_is_there_without_waiting(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await committed(backend, clock, start(ONE))
        entries, _ = await at_once(backend.bus.replay(None, 10, wait_s=60))
        assert len(entries) == 1


def of_all(entries: list[FeedEntry]) -> list[tuple[str, str, bytes]]:
    """Return entries without their cursors."""
    return [(entry.workflow_id, entry.kind, entry.body) for entry in entries]


class TrimContract:
    """Entries go after the feed's retention, and a reader who missed some is told."""

    async def test_a_cursor_before_trimmed_entries_has_expired(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        _, cursor = await backend.bus.replay(None, 10)
        first = start(ONE, log=(b"old",))
        await committed(backend, clock, first)
        clock.set_ms(clock.now_ms() + round(FEED_RETENTION_S * 1000) + 1)
        await committed(backend, clock, then(first, log=(b"new",)))
        with pytest.raises(CursorExpired):
            await backend.bus.replay(cursor, 10)

    async def test_a_reader_without_a_cursor_begins_at_the_oldest_kept_entry(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, log=(b"old",))
        await committed(backend, clock, first)
        clock.set_ms(clock.now_ms() + round(FEED_RETENTION_S * 1000) + 1)
        await committed(backend, clock, then(first, log=(b"new",)))
        assert [entry.body for entry in await everything(backend)] == [b"new"]

    async def test_a_cursor_behind_all_that_was_trimmed_is_still_good(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, log=(b"old",))
        await committed(backend, clock, first)
        (old,), _ = await backend.bus.replay(None, 10)
        clock.set_ms(clock.now_ms() + round(FEED_RETENTION_S * 1000) + 1)
        await committed(backend, clock, then(first, log=(b"new",)))
        assert [entry.body for entry in await everything(backend, old.cursor)] == [b"new"]

    async def test_entries_are_kept_for_the_whole_retention(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        _, cursor = await backend.bus.replay(None, 10)
        first = start(ONE, log=(b"old",))
        await committed(backend, clock, first)
        clock.set_ms(clock.now_ms() + round(FEED_RETENTION_S * 1000) - 1_000)
        await committed(backend, clock, then(first, log=(b"new",)))
        assert [entry.body for entry in await everything(backend, cursor)] == [b"old", b"new"]

    async def test_entries_are_kept_however_many_there_are(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        bodies = [b"%d" % number for number in range(MANY)]
        await committed(backend, clock, start(ONE, log=()))
        await asyncio.gather(*(note(backend, clock, Message(ONE, body)) for body in bodies))
        entries = await everything(backend, limit=500)
        assert sorted(entry.body for entry in entries) == sorted(bodies)

    async def test_trimming_the_feed_leaves_log_and_notes(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, log=(b"old",))
        await committed(backend, clock, first)
        await note(backend, clock, Message(ONE, b"note"))
        clock.set_ms(clock.now_ms() + round(FEED_RETENTION_S * 1000) + 1)
        await committed(backend, clock, but(then(first), log=(b"new",)))
        assert list(await backend.store.log(ONE)) == [b"old", b"new"]
        assert list(await backend.store.log(ONE, "notes")) == [b"note"]

    @pytest.mark.parametrize("cursor", ["", "nonsense", "1-2-3-4", "\x00", "bm90aGluZw==", "ünï"])
    async def test_a_cursor_that_was_never_handed_out_is_refused_by_the_feed(
        self, backend: Backend, cursor: str
    ) -> None:
        with pytest.raises((CursorInvalid, CursorExpired)):
            await backend.bus.replay(cursor, 10)


class FeedDurabilityContract:
    """A cursor belongs to an incarnation."""

    async def test_a_cursor_stays_good_over_a_restart_if_the_feed_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        await committed(harness.backend, clock, start(ONE, log=(b"first",)), start(TWO))
        (first, *_), _ = await harness.backend.bus.replay(None, 10)
        reopened = await harness.restart()
        if harness.durable:
            assert len(await everything(reopened, first.cursor)) == 1
        else:
            with pytest.raises(CursorExpired):
                await reopened.bus.replay(first.cursor, 10)


class FeedContract(ReplayContract, TrimContract, FeedDurabilityContract):
    """All of it."""

"""What every message bus must do: inboxes here, waiting, the feed and topics beside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagewright.ports.backend import Backend
from stagewright.ports.message_bus import InboxMessage, Message, Topic
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.bus_feed import FeedContract
from stagewright.testing.contracts.bus_topics import TopicContract
from stagewright.testing.contracts.bus_waiting import WaitingContract
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import (
    MAX_BODY_BYTES,
    committed,
    inbox,
    published,
    received,
    start,
    workflow,
)

ONE, TWO = workflow(1, 1), workflow(2, 3)


def bodies(messages: list[InboxMessage] | tuple[InboxMessage, ...]) -> list[bytes]:
    """Return the bodies of messages."""
    return [message.body for message in messages]


class InboxContract:
    """An inbox keeps what was never applied, in order, until it is deleted by name."""

    async def test_an_empty_inbox_has_nothing_to_read(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        found = await received(backend, clock)
        assert [list(part) for part in (found.messages, found.timers, found.expired)] == [
            [],
            [],
            [],
        ]

    async def test_messages_lie_in_the_partition_that_their_workflow_names(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        messages = [Message(ONE, b"a"), Message(TWO, b"b"), Message(ONE, b"c")]
        await backend.bus.publish(Topic.INBOX, messages, clock.now_ms())
        found = await inbox(backend, clock)
        by_partition = sorted((message.partition, message.body) for message in found)
        assert by_partition == [(1, b"a"), (1, b"c"), (3, b"b")]

    async def test_messages_are_read_in_the_order_they_were_published(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        wanted = [b"%d" % number for number in range(30)]
        await published(backend, clock, ONE, *wanted[:20])
        await published(backend, clock, ONE, *wanted[20:])
        assert bodies(list(await inbox(backend, clock))) == wanted

    async def test_bodies_arrive_byte_for_byte(self, backend: Backend, clock: VirtualClock) -> None:
        body = bytes(range(256)) * 4
        await published(backend, clock, ONE, body, b"")
        assert bodies(list(await inbox(backend, clock))) == [body, b""]

    async def test_publishing_nothing_is_allowed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await backend.bus.publish(Topic.INBOX, [], clock.now_ms())
        assert list(await inbox(backend, clock)) == []

    async def test_only_the_partitions_named_are_read(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"one")
        await published(backend, clock, TWO, b"two")
        found = await received(backend, clock, {3: "", 0: ""})
        assert bodies(list(found.messages)) == [b"two"]
        assert set(found.marks) == {0, 3}

    async def test_reading_changes_nothing(self, backend: Backend, clock: VirtualClock) -> None:
        await published(backend, clock, ONE, b"a", b"b")
        first, second = [await received(backend, clock) for _ in range(2)]
        assert first == second
        assert bodies(list(first.messages)) == [b"a", b"b"]

    async def test_reading_goes_on_behind_a_position(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"a", b"b", b"c")
        a, b, _ = await inbox(backend, clock)
        await backend.bus.acknowledge([a, b])
        await published(backend, clock, ONE, b"d")
        behind_a = await received(backend, clock, {1: a.position})
        behind_b = await received(backend, clock, {1: b.position})
        assert bodies(list(behind_a.messages)) == bodies(list(behind_b.messages)) == [b"c", b"d"]

    async def test_a_new_owner_finds_all_that_was_never_applied(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"a", b"b", b"c")
        _, b, c = await inbox(backend, clock)
        assert list((await received(backend, clock, {1: c.position})).messages) == []
        await backend.bus.acknowledge([b])
        from_start = await received(backend, clock, {1: ""})
        assert bodies(list(from_start.messages)) == [b"a", b"c"]

    @pytest.mark.parametrize("limit", [1, 3, 7])
    async def test_bounded_reads_together_return_everything_once(
        self, backend: Backend, clock: VirtualClock, limit: int
    ) -> None:
        for number in range(20):
            await published(backend, clock, workflow(number, number % 4), b"%d" % number)
        after, seen = dict.fromkeys(range(4), ""), list[bytes]()
        while messages := (await received(backend, clock, after, limit=limit)).messages:
            assert len(messages) <= limit
            seen += [message.body for message in messages]
            after |= {message.partition: message.position for message in messages}
        assert sorted(seen, key=int) == [b"%d" % number for number in range(20)]
        for partition in range(4):
            mine = [int(body) for body in seen if int(body) % 4 == partition]
            assert mine == sorted(mine)

    async def test_acknowledged_messages_are_gone_and_others_stay(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"a", b"b", b"c")
        await published(backend, clock, TWO, b"d")
        found = {message.body: message for message in await inbox(backend, clock)}
        await backend.bus.acknowledge([found[b"a"], found[b"d"]])
        await backend.bus.acknowledge([found[b"a"]])
        await backend.bus.acknowledge([])
        assert bodies(list(await inbox(backend, clock))) == [b"b", b"c"]

    async def test_an_oversize_message_is_not_read_but_measured(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        sizes = (MAX_BODY_BYTES, MAX_BODY_BYTES + 1)
        await published(backend, clock, ONE, *(b"x" * size for size in sizes))
        fits, oversize = await inbox(backend, clock)
        assert (len(fits.body), fits.oversize_bytes) == (MAX_BODY_BYTES, None)
        assert (oversize.body, oversize.oversize_bytes) == (b"", MAX_BODY_BYTES + 1)

    async def test_an_incarnation_stays_the_same_from_read_to_read(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        before = (await received(backend, clock)).marks
        await committed(backend, clock, start(ONE))
        after = (await received(backend, clock)).marks
        assert before[1].incarnation == after[1].incarnation
        assert after[1].commits > before[1].commits

    async def test_published_messages_outlive_the_backend_if_the_bus_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        await published(harness.backend, clock, ONE, b"a", b"b")
        (first, *_) = await inbox(harness.backend, clock)
        await harness.backend.bus.acknowledge([first])
        kept = bodies(list(await inbox(await harness.restart(), clock)))
        assert kept == ([b"b"] if harness.durable else [])

    async def test_health_names_the_declared_durability_of_the_bus(self, harness: Harness) -> None:
        health = await harness.backend.bus.health()
        assert (health.ok, health.durability) == (True, harness.durability)


class RejectContract:
    """What cannot be applied becomes a dead letter with its reason, in one call."""

    async def test_a_rejected_message_becomes_a_dead_letter(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"\x00bad", b"good")
        bad, _ = await inbox(backend, clock)
        await backend.bus.reject(bad, "broken JSON at byte 3", clock.now_ms())
        assert bodies(list(await inbox(backend, clock))) == [b"good"]
        (letter,) = await backend.dead_letters.list()
        assert letter.letter_id.startswith("p01-")
        assert (letter.workflow_id, letter.reason) == (ONE, "broken JSON at byte 3")
        assert (letter.body, letter.at_ms) == (b"\x00bad", clock.now_ms())

    async def test_rejecting_twice_keeps_one_dead_letter(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"bad")
        (bad,) = await inbox(backend, clock)
        await backend.bus.reject(bad, "first", clock.now_ms())
        await backend.bus.reject(bad, "second", clock.now_ms() + 1)
        assert [letter.reason for letter in await backend.dead_letters.list()] == ["first"]

    async def test_each_rejected_message_keeps_a_letter_of_its_own(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"a", b"b")
        await published(backend, clock, TWO, b"c")
        for message in await inbox(backend, clock):
            await backend.bus.reject(message, "bad", clock.now_ms())
        letters = await backend.dead_letters.list()
        assert sorted(letter.body for letter in letters) == [b"a", b"b", b"c"]
        assert len({letter.letter_id for letter in letters}) == 3

    async def test_a_message_that_was_applied_meanwhile_is_not_rejected(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"good")
        (good,) = await inbox(backend, clock)
        await committed(backend, clock, start(ONE, consumed=(good.position,)))
        await backend.bus.reject(good, "too late", clock.now_ms())
        assert list(await backend.dead_letters.list()) == []

    async def test_an_oversize_message_keeps_its_first_kibibyte(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        body = bytes(range(256)) * (MAX_BODY_BYTES // 128)
        await published(backend, clock, ONE, body)
        (oversize,) = await inbox(backend, clock)
        await backend.bus.reject(oversize, "too big", clock.now_ms())
        (letter,) = await backend.dead_letters.list()
        assert letter.body == body[:1_024]
        assert await backend.dead_letters.read(letter.letter_id) == letter

    async def test_a_rejected_message_that_fits_is_kept_whole(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        body = b"x" * MAX_BODY_BYTES
        await published(backend, clock, ONE, body)
        (message,) = await inbox(backend, clock)
        await backend.bus.reject(replace(message), "bad", clock.now_ms())
        assert [letter.body for letter in await backend.dead_letters.list()] == [body]


class MessageBusContract(
    InboxContract, RejectContract, WaitingContract, FeedContract, TopicContract
):
    """All of it."""

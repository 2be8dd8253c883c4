"""What every keeper of dead letters must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from stagewright.domain.errors import NotFound
from stagewright.ports.backend import Backend
from stagewright.ports.dead_letters import DeadLetter
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.bus_waiting import begun, waiting
from stagewright.testing.contracts.harness import Harness, at_once
from stagewright.testing.contracts.samples import (
    committed,
    inbox,
    published,
    start,
    then,
    workflow,
)

ONE, TWO = workflow(1, 1), workflow(2, 3)


def letter(number: int, workflow_id: str | None = ONE, partition: int = 1) -> DeadLetter:
    """Return a letter; a higher number is newer."""
    letter_id = f"p{partition:02d}-{number:032x}"
    return DeadLetter(letter_id, workflow_id, f"reason {number}", b"body %d" % number, number)


async def kept(backend: Backend, clock: VirtualClock, *letters: DeadLetter) -> None:
    """Let steps leave dead letters, each in its own partition."""
    for number, each in enumerate(letters):
        owner = workflow(1_000 + number, int(each.letter_id[1:3]))
        await committed(backend, clock, start(owner, dead_letters=(each,)))


class DeadLettersContract:
    """Letters are listed, read, edited and redriven once, or discarded."""

    async def test_letters_are_listed_newest_first(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        letters = [letter(n, TWO if n % 2 else ONE, 3 if n % 2 else 1) for n in (3, 1, 4, 2, 5)]
        await kept(backend, clock, *letters)
        listed = list(await backend.dead_letters.list())
        assert listed == sorted(letters, key=lambda each: each.at_ms, reverse=True)

    async def test_letters_of_one_workflow_are_listed(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        unknown = letter(4, None)
        await kept(backend, clock, letter(1), letter(2, TWO, 3), letter(3), unknown)
        assert list(await backend.dead_letters.list(ONE)) == [letter(3), letter(1)]
        assert list(await backend.dead_letters.list(TWO)) == [letter(2, TWO, 3)]
        assert list(await backend.dead_letters.list(workflow(9))) == []

    async def test_pages_of_letters_follow_one_another(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        letters = [letter(n, ONE if n % 3 else TWO, n % 4) for n in range(1, 12)]
        await kept(backend, clock, *letters)
        for workflow_id in (None, ONE):
            seen, after = list[DeadLetter](), None
            while page := await backend.dead_letters.list(workflow_id, after, limit=3):
                assert len(page) <= 3
                seen += page
                after = page[-1].letter_id
            wanted = [each for each in letters if workflow_id in (None, each.workflow_id)]
            assert seen == wanted[::-1]

    async def test_a_page_behind_a_letter_that_is_gone_is_refused(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await kept(backend, clock, letter(1), letter(2))
        await backend.dead_letters.discard(letter(2).letter_id)
        with pytest.raises(NotFound, match="newest"):
            await backend.dead_letters.list(after=letter(2).letter_id)

    async def test_a_letter_is_read_by_its_id(self, backend: Backend, clock: VirtualClock) -> None:
        binary = replace(letter(1), body=bytes(range(256)), reason="ünï \x01")
        await kept(backend, clock, binary, letter(2, None, 3))
        assert await backend.dead_letters.read(binary.letter_id) == binary
        assert await backend.dead_letters.read(letter(2, None, 3).letter_id) == letter(2, None, 3)
        assert await backend.dead_letters.read("p01-unknown") is None

    async def test_a_redriven_letter_becomes_a_message_with_the_new_body(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await kept(backend, clock, letter(1, TWO, 3), letter(2))
        letter_id = letter(1, TWO, 3).letter_id
        assert await backend.dead_letters.redrive(letter_id, b"mended", clock.now_ms()) is True
        (message,) = await inbox(backend, clock)
        assert (message.partition, message.body) == (3, b"mended")
        assert list(await backend.dead_letters.list()) == [letter(2)]

    async def test_a_letter_is_redriven_once(self, backend: Backend, clock: VirtualClock) -> None:
        await kept(backend, clock, letter(1))
        redrive, letter_id = backend.dead_letters.redrive, letter(1).letter_id
        tries = (redrive(letter_id, b"%d" % n, clock.now_ms()) for n in range(10))
        answers = await asyncio.gather(*tries)
        assert answers.count(True) == 1
        (message,) = await inbox(backend, clock)
        assert message.body == b"%d" % answers.index(True)
        assert await redrive(letter_id, b"again", clock.now_ms()) is False

    async def test_a_letter_of_no_known_workflow_can_be_redriven(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await kept(backend, clock, letter(1, None, 2))
        letter_id = letter(1, None, 2).letter_id
        assert await backend.dead_letters.redrive(letter_id, b"mended", clock.now_ms()) is True
        assert [message.partition for message in await inbox(backend, clock)] == [2]

    async def test_a_redriven_letter_wakes_the_owner(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await kept(backend, clock, letter(1))
        reading = waiting(backend, clock, 60)
        await begun(clock)
        await backend.dead_letters.redrive(letter(1).letter_id, b"mended", clock.now_ms())
        assert [message.body for message in (await at_once(reading)).messages] == [b"mended"]

    async def test_a_redriven_message_may_be_rejected_again(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        await published(backend, clock, ONE, b"bad")
        for reason in ("first", "second"):
            (message,) = await inbox(backend, clock)
            await backend.bus.reject(message, reason, clock.now_ms())
            (found,) = await backend.dead_letters.list()
            assert (found.reason, found.workflow_id) == (reason, ONE)
            await backend.dead_letters.redrive(found.letter_id, b"still bad", clock.now_ms())

    async def test_a_discarded_letter_is_gone(self, backend: Backend, clock: VirtualClock) -> None:
        await kept(backend, clock, letter(1), letter(2))
        discard, letter_id = backend.dead_letters.discard, letter(1).letter_id
        assert [await discard(letter_id), await discard(letter_id)] == [True, False]
        assert await backend.dead_letters.redrive(letter_id, b"late", clock.now_ms()) is False
        assert list(await backend.dead_letters.list()) == [letter(2)]
        assert list(await inbox(backend, clock)) == []

    @pytest.mark.parametrize("letter_id", ["nonsense", "", "p99-1", "p01-none", "pxx-1"])
    async def test_a_letter_that_never_was_is_not_there(
        self, backend: Backend, clock: VirtualClock, letter_id: str
    ) -> None:
        assert await backend.dead_letters.read(letter_id) is None
        assert not await backend.dead_letters.discard(letter_id)
        assert not await backend.dead_letters.redrive(letter_id, b"{}", clock.now_ms())
        with pytest.raises(NotFound):
            await backend.dead_letters.list(after=letter_id)

    async def test_one_step_may_leave_several_letters(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        first = start(ONE, dead_letters=(letter(1), letter(2)))
        await committed(backend, clock, first)
        await committed(backend, clock, then(first, dead_letters=(letter(3),)))
        assert list(await backend.dead_letters.list()) == [letter(3), letter(2), letter(1)]

    async def test_letters_outlive_the_backend_if_it_is_durable(
        self, harness: Harness, clock: VirtualClock
    ) -> None:
        await kept(harness.backend, clock, letter(1))
        reopened = await harness.restart()
        wanted = [letter(1)] if harness.durable else []
        assert list(await reopened.dead_letters.list()) == wanted

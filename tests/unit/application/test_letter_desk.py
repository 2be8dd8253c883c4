"""Dead letters by cause, and many at once."""

from __future__ import annotations

import orjson
import pytest

from stagewright.application import letter_desk as module
from stagewright.application.letter_desk import LetterDesk, cause_of
from stagewright.domain.errors import NotFound, UsageError, ValidationFailed
from stagewright.ports.letter_desk import LetterAction
from tests.unit.application.world import World

ONE, OTHER = "p00-0192f0c4a3b27e518c2a5d7e9f00aa11", "p01-1192f0c4a3b27e518c2a5d7e9f00aa12"


def desk(world: World) -> LetterDesk:
    return LetterDesk(world.backend, world.commands, world.clock)


async def rejected(world: World, workflow_id: str, reason: str, body: bytes = b"{") -> str:
    await world.publish(workflow_id, body)
    (message,) = await world.inbox()
    await world.backend.bus.reject(message, reason, world.clock.now_ms())
    await world.clock.advance(1)
    return (await world.letters())[0].letter_id


async def some(world: World) -> None:
    await rejected(world, ONE, f"nothing waits for {ONE}/build/1/2")
    await rejected(world, OTHER, f"nothing waits for {OTHER}/build/3/1")
    await rejected(world, ONE, "field 'a' is 7", b'{"stage":"check"}')


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f"nothing waits for {ONE}/build/1/2", "nothing waits for …"),
        ("envelope of 300000 bytes; at most 5", "envelope of … bytes; at most …"),
        ("field 'a b' is wrong", "field … is wrong"),
        ("not JSON", "not JSON"),
    ],
)
def test_a_cause_is_a_reason_without_what_differs(reason: str, cause: str) -> None:
    assert cause_of(reason) == cause


async def test_letters_of_one_cause_and_stage_stand_together(world: World) -> None:
    await some(world)
    found = await desk(world).groups()
    assert (found.letters, found.complete) == (3, True)
    big, small = found.groups
    assert (big.cause, big.stage, big.count, big.workflows) == (
        "nothing waits for …",
        "build",
        2,
        2,
    )
    assert (small.stage, small.sample) == ("check", "field 'a' is 7")
    assert big.last_at_ms - big.first_at_ms == 1_000
    assert [group.count for group in (await desk(world).groups(ONE)).groups] == [1, 1]


async def test_all_letters_of_a_cause_are_discarded_with_a_reason(world: World) -> None:
    await some(world)
    action = LetterAction(action="discard", cause="nothing waits for …", by="ann", reason="old")
    report = await desk(world).act(action)
    assert (report.done, report.refused) == (2, 0)
    assert await world.reasons() == ["field 'a' is 7"]


async def test_letters_are_grouped_over_many_pages_up_to_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    await some(world)
    await some(world)
    assert (await desk(world).groups()).letters == 6
    monkeypatch.setattr(module, "GROUPED", 4)
    found = await desk(world).groups()
    assert (found.letters, found.complete) == (4, False)


async def test_so_many_letters_are_dealt_with_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    await some(world)
    action = LetterAction(action="discard", cause="nothing waits for …", reason="old")
    assert (await desk(world).act(action)).done == 1
    assert len(await world.letters()) == 2


async def test_discarding_many_needs_a_reason(world: World) -> None:
    with pytest.raises(ValidationFailed, match="reason: Field required"):
        await desk(world).act(LetterAction(action="discard", cause="not JSON"))
    with pytest.raises(UsageError, match="letters"):
        await desk(world).act(LetterAction(action="redrive"))


async def test_each_letter_that_cannot_go_back_says_why(world: World) -> None:
    await some(world)
    letters = [letter.letter_id for letter in await world.letters()]
    report = await desk(world).act(LetterAction(action="redrive", letters=[*letters, "p00-x", "x"]))
    assert (report.done, report.refused, len(report.letters)) == (0, 5, 5)
    assert all(fate.error for fate in report.letters)
    assert len(await world.letters()) == 3


async def test_a_workflow_remembers_who_discarded_its_letter_and_why(world: World) -> None:
    await world.register()
    id_ = await world.start()
    letter_id = await rejected(world, id_, "not JSON")
    await desk(world).discard(letter_id, "ann", "a stray copy")
    (note,) = map(orjson.loads, await world.backend.store.log(id_, "notes"))
    assert (note["kind"], note["by"], note["reason"]) == ("letter_discarded", "ann", "a stray copy")
    for gone in (letter_id, "p99-1", "nonsense"):
        with pytest.raises(NotFound):
            await desk(world).discard(gone, "ann", "again")

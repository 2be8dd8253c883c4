"""Putting a dead letter back."""

from __future__ import annotations

import orjson
import pytest

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import AlreadyDecided, NotFound, Refused, ValidationFailed
from stagewright.domain.workflow import TaskWait
from tests.unit.application.test_batch import crashing
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent


async def letter(world: World) -> str:
    """The id of the only dead letter."""
    (only,) = await world.letters()
    return only.letter_id


async def stale(world: World) -> str:
    """A workflow whose build was claimed twice, and whose first result came late."""
    await world.register()
    id_ = await world.start()
    (old,) = await world.claim("build")
    await world.lose_lease(old)
    await world.claim("build")
    await world.publish(id_, world.envelope(old, "late"))
    await world.apply()
    return id_


async def test_a_letter_goes_back_with_the_token_in_force(world: World) -> None:
    id_ = await stale(world)
    await world.commands.redrive(await letter(world))
    await world.apply()
    assert (await world.stored(id_)).outputs["build/1"] == b'"late"'
    assert await world.letters() == []


async def test_a_letter_may_be_edited(world: World) -> None:
    id_ = await stale(world)
    (found,) = await world.letters()
    edited = found.body.replace(b'"late"', b'"edited"')
    await world.commands.redrive(found.letter_id, edited)
    await world.apply()
    assert (await world.stored(id_)).outputs["build/1"] == b'"edited"'


async def test_a_letter_is_redriven_once(world: World) -> None:
    await stale(world)
    letter_id = await letter(world)
    await world.commands.redrive(letter_id)
    with pytest.raises(NotFound):
        await world.commands.redrive(letter_id)


async def test_two_who_redrive_at_once_do_it_once(world: World) -> None:
    await stale(world)
    letter_id = await letter(world)

    class Late:
        """Somebody discards the letter after it was read."""

        def __getattr__(self, name: str) -> object:
            return getattr(world.backend.dead_letters, name)

        async def redrive(self, *_: object) -> bool:
            return False

    other = world.with_ports(dead_letters=Late())
    with pytest.raises(AlreadyDecided, match="redriven or discarded before"):
        await other.commands.redrive(letter_id)


async def test_what_nothing_waits_for_is_not_redriven(world: World) -> None:
    id_ = await stale(world)
    await world.command(id_, "cancel")
    with pytest.raises(Refused, match=f"nothing waits for {id_}/build/1/1"):
        await world.commands.redrive(await letter(world))
    assert len(await world.letters()) == 1


async def test_a_task_that_nobody_claimed_has_no_token_to_lend(world: World) -> None:
    await world.register()
    id_ = await world.start()
    (task,) = await world.claim("build")
    other = await world.start()
    body = world.envelope(task).replace(id_.encode(), other.encode())
    body = body.replace(
        b'"partitionkey":"%s"' % id_[:3].encode(), b'"partitionkey":"%s"' % other[:3].encode()
    )
    await world.publish(other, body)
    await world.apply()
    with pytest.raises(Refused, match="no agent has claimed"):
        await world.commands.redrive(await letter(world))


@pytest.mark.parametrize("letter_id", ["p00-nothing", "p99-nothing", "nonsense"])
async def test_a_letter_that_is_not_there_is_not_found(world: World, letter_id: str) -> None:
    with pytest.raises(NotFound, match="No dead letter"):
        await world.commands.redrive(letter_id)


async def test_garbage_is_not_redriven(world: World) -> None:
    await stale(world)
    letter_id = await letter(world)
    with pytest.raises(ValidationFailed, match="Not acceptable JSON"):
        await world.commands.redrive(letter_id, b"garbage")
    (found,) = await world.letters()
    wrong = found.body.replace(b'"success"', b'"succes"')
    with pytest.raises(ValidationFailed, match=r"data\.status"):
        await world.commands.redrive(letter_id, wrong)


async def quarantined(world: World, *, contract: Contract | None = None) -> str:
    """A workflow held because the result of its build could not be decided."""
    contracts = [contract] if contract else []
    await world.register(agent("build"), agent("check"), contracts=contracts)
    id_ = await world.start()
    await world.done("build", "precious")
    with crashing("build"):
        await world.apply()
    return id_


async def test_a_result_that_its_stage_is_quarantined_on_is_applied_at_once(world: World) -> None:
    id_ = await quarantined(world)
    await world.commands.redrive(await letter(world))
    assert (await world.stored(id_)).outputs["build/1"] == b'"precious"'
    assert await world.tasks(id_) == {"check/1/1": "queued"}
    assert (await world.letters(), await world.inbox()) == ([], [])


async def test_a_redriven_result_must_keep_its_contract(world: World) -> None:
    id_ = await quarantined(world, contract=Contract(name="build", output={"type": "integer"}))
    await world.commands.redrive(await letter(world))
    found = (await world.state(id_)).awaiting["build"]
    assert isinstance(found, TaskWait)
    assert found.repair[0]["type"] == "contract_violation"


async def test_a_quarantined_stage_takes_no_other_task_for_its_own(world: World) -> None:
    id_ = await quarantined(world)
    (found,) = await world.letters()
    body = orjson.loads(found.body)
    body["task"], body["attempt"] = f"{id_}/build/1/2", 2
    with pytest.raises(Refused, match="nothing waits for"):
        await world.commands.redrive(found.letter_id, orjson.dumps(body))

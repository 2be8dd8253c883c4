"""Changes in somebody's name: whom a command speaks for, and what is written down of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagewright.application.access import Access, Acting, Changes
from stagewright.application.actor import Actor
from stagewright.application.bulk import Bulk
from stagewright.application.letter_desk import LetterDesk
from stagewright.domain.errors import NotFound, Refused, StagewrightError
from stagewright.ports.audit import AuditEntry, AuditQuery
from stagewright.ports.bulk import BulkRequest
from stagewright.ports.control import CommandRequest, ICommands, RegisterRequest, StartRequest
from stagewright.ports.keys import KeyRequest
from stagewright.ports.letter_desk import LetterAction
from tests.unit.application.test_redrive import stale
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, approval, define

ANN = Actor("ann", "k1", "api", groups=("editors",))
OWNER = Actor("owner", door="api", speaks_for_others=True)


def acting(world: World, actor: Actor = ANN) -> Acting:
    access = Access(world.backend, world.clock, world.ids)
    return access.acting(actor, changes(world, world.commands))


def changes(world: World, commands: ICommands) -> Changes:
    backend, clock = world.backend, world.clock
    return Changes(
        commands,
        backend.dead_letters,
        LetterDesk(backend, commands, clock),
        Bulk(backend, commands, clock, world.ids),
    )


async def newest(world: World) -> AuditEntry:
    return (await all_entries(world))[0]


async def all_entries(world: World) -> list[AuditEntry]:
    page = await world.backend.audit.list(AuditQuery(limit=1_000), world.clock.now_ms())
    return page.entries


async def created(world: World, workflow_id: str) -> dict[str, Any]:
    (body,) = (await world.backend.store.log(workflow_id, "steps", 0, 1))[0:1]
    record: dict[str, Any] = orjson.loads(body)
    event: dict[str, Any] = record["events"][0]
    return event


def command(kind: str, **given: Any) -> CommandRequest:
    return CommandRequest.model_validate({"kind": kind, **given})


async def test_who_started_a_workflow_stands_in_its_own_log(world: World) -> None:
    await world.register()
    started = await acting(world).commands.start(StartRequest(definition="job", by="bob"))
    assert (await created(world, started.workflow_id))["by"] == "ann"
    assert await all_entries(world) == []


async def test_who_holds_the_store_may_start_for_others(world: World) -> None:
    await world.register()
    commands = acting(world, OWNER).commands
    named = await commands.start(StartRequest(definition="job", by="bob"))
    unnamed = await commands.start(StartRequest(definition="job"))
    assert (await created(world, named.workflow_id))["by"] == "bob"
    assert (await created(world, unnamed.workflow_id))["by"] == "owner"


async def test_who_asks_is_no_part_of_what_a_key_stands_for(world: World) -> None:
    await world.register()
    first = await acting(world).commands.start(StartRequest(definition="job", key="k"))
    again = await acting(world, OWNER).commands.start(StartRequest(definition="job", key="k"))
    assert (again.workflow_id, again.created) == (first.workflow_id, False)


async def test_a_start_that_was_refused_is_written_down(world: World) -> None:
    with pytest.raises(NotFound):
        await acting(world).commands.start(StartRequest(definition="unknown"))
    entry = await newest(world)
    assert (entry.actor, entry.action, entry.target) == ("ann", "workflow.start", "unknown")
    assert (entry.outcome, entry.detail) == ("refused", "No definition 'unknown'. Known: nothing.")


async def test_a_command_tells_what_was_before_and_after(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await acting(world).commands.command(id_, command("cancel", reason="enough"))
    entry = await newest(world)
    assert (entry.action, entry.target, entry.outcome) == ("workflow.cancel", id_, "done")
    assert (entry.before["status"], entry.after["status"]) == ("running", "cancelled")
    assert entry.after["step"] == entry.before["step"] + 1


async def test_a_command_that_was_refused_changes_nothing_and_says_why(world: World) -> None:
    await world.register()
    id_ = await world.start()
    with pytest.raises(Refused):
        await acting(world).commands.command(id_, command("resume"))
    entry = await newest(world)
    assert (entry.outcome, entry.after) == ("refused", {})
    assert entry.before["status"] == "running"
    assert entry.detail


@pytest.mark.parametrize("id_", ["p00-" + "0" * 32, "nonsense", "p99-1"])
async def test_a_command_to_nothing_is_written_down_too(world: World, id_: str) -> None:
    with pytest.raises(StagewrightError):
        await acting(world).commands.command(id_, command("cancel"))
    entry = await newest(world)
    assert (entry.target, entry.outcome, entry.before) == (id_, "refused", {})


async def test_a_decision_is_made_in_the_name_and_groups_of_whoever_makes_it(
    world: World,
) -> None:
    await world.register(approval("gate", "group:editors"))
    id_ = await world.start()
    stranger = acting(world, Actor("eve", door="api"))
    with pytest.raises(StagewrightError):
        await stranger.commands.command(
            id_, command("approve", by="ann", groups=("editors",), stage="gate")
        )
    await acting(world).commands.command(id_, command("approve", by="bob", stage="gate"))
    output = orjson.loads((await world.stored(id_)).outputs["gate/1"])
    assert "ann" in output["decided_by"]
    assert "bob" not in output["decided_by"]


async def test_whoever_holds_the_store_decides_for_whom_they_name(world: World) -> None:
    await world.register(approval("gate", "group:editors"))
    id_ = await world.start()
    given = command("approve", by="bob", groups=("editors",), stage="gate")
    await acting(world, OWNER).commands.command(id_, given)
    entry = await newest(world)
    assert (entry.actor, entry.after["by"]) == ("owner", "bob")


async def test_a_retry_names_its_successor(world: World) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "cancel")
    reply = await acting(world).commands.command(id_, command("retry"))
    assert (await newest(world)).after["successor"] == reply.workflow_id
    assert (await created(world, reply.workflow_id))["by"] == "ann"


async def test_a_registration_tells_what_it_made(world: World) -> None:
    definition = define(agent("build")).model_dump(mode="json", by_alias=True)
    view = await acting(world).commands.register(RegisterRequest(definition=definition))
    entry = await newest(world)
    assert (entry.action, entry.target) == ("definition.register", f"job@{view.version}")
    assert entry.after == {"hash": view.hash}


async def test_only_a_replay_that_may_repair_is_a_change(world: World) -> None:
    await world.register()
    id_ = await world.start()
    commands = acting(world).commands
    assert (await commands.replay(id_)).equal
    assert await all_entries(world) == []
    await commands.replay(id_, repair=True)
    entry = await newest(world)
    assert (entry.action, entry.after) == ("workflow.repair", {"repaired": False})


async def test_what_is_done_to_dead_letters_is_written_down(world: World) -> None:
    await stale(world)
    (letter,) = await world.letters()
    actor = acting(world)
    with pytest.raises(StagewrightError):
        await actor.commands.redrive(letter.letter_id, b"nonsense")
    assert await actor.dead_letters.list() == [letter]
    assert await actor.dead_letters.discard(letter.letter_id)
    assert not await actor.dead_letters.discard(letter.letter_id)
    found = [(e.action, e.outcome, e.after.get("there")) for e in await all_entries(world)]
    assert found == [
        ("dead-letter.discard", "done", False),
        ("dead-letter.discard", "done", True),
        ("dead-letter.redrive", "refused", None),
    ]
    assert (await all_entries(world))[1].before["reason"]


async def test_a_letter_that_is_put_back_as_it_is_is_written_down(world: World) -> None:
    await stale(world)
    (letter,) = await world.letters()
    letters = acting(world).dead_letters
    assert await letters.redrive(letter.letter_id, b"{}", world.clock.now_ms())
    assert (await newest(world)).after == {"edited": True, "there": True}


async def test_keys_are_written_down_without_their_secret(world: World) -> None:
    keys = acting(world, OWNER).keys
    made = await keys.create(KeyRequest(name="bob", scopes=("read",)))
    assert [view.key_id for view in await keys.list()] == [made.key_id]
    await keys.revoke(made.key_id)
    with pytest.raises(NotFound):
        await keys.revoke("unknown")
    entries = await all_entries(world)
    assert [(e.action, e.outcome) for e in entries] == [
        ("key.revoke", "refused"),
        ("key.revoke", "done"),
        ("key.create", "done"),
    ]
    assert entries[2].target == entries[1].target == made.key_id
    assert made.secret not in repr(entries)
    assert "bob" in repr(entries[2].after)


async def test_a_change_whose_process_dies_is_known_to_have_been_tried(world: World) -> None:
    await world.register()
    id_ = await world.start()

    class Dies:
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    access = Access(world.backend, world.clock, world.ids)
    commands = access.acting(ANN, changes(world, Dies())).commands  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        await commands.command(id_, command("cancel"))
    entry = await newest(world)
    assert (entry.action, entry.outcome, entry.before["status"]) == (
        "workflow.cancel",
        "unknown",
        "running",
    )


async def test_a_job_is_written_down_once_and_each_command_is_in_the_actors_name(
    world: World,
) -> None:
    await world.register(approval("gate"))
    id_ = await world.start()
    mine = acting(world)
    job = await mine.bulk.begin(BulkRequest(action="pause", ids=(id_,), by="bob", reason="rest"))
    entry = await newest(world)
    assert (entry.action, entry.target, entry.actor) == ("bulk.pause", job.job_id, "ann")
    async with world.clock.auto():
        await mine.bulk.job(job.job_id or "")
    paused = (await world.state(id_)).paused
    assert paused is not None
    assert paused.by == "ann"


async def test_a_dry_run_is_not_written_down(world: World) -> None:
    await acting(world).bulk.begin(BulkRequest(action="cancel", ids=("p00-1",), dry_run=True))
    assert await all_entries(world) == []


async def test_many_letters_dealt_with_are_one_entry(world: World) -> None:
    action = LetterAction(action="discard", letters=["p00-a", "p00-b"], reason="old", by="bob")
    report = await acting(world).letter_desk.act(action)
    assert report.refused == 2
    entry = await newest(world)
    assert (entry.action, entry.target) == ("dead-letters.discard", "2 letters")

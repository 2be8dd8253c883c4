"""Commands: decided and committed by whoever received them, before the answer leaves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from stagewright.domain.contracts import Contract
from stagewright.domain.errors import (
    AlreadyDecided,
    Conflict,
    DefinitionError,
    NotFound,
    Refused,
    UsageError,
    ValidationFailed,
)
from stagewright.domain.events import decode_step
from stagewright.domain.ids import partition_of
from stagewright.domain.stage_result import BlobRef
from stagewright.ports.commit import Commit, Verdict
from stagewright.ports.control import RegisterRequest
from tests.unit.application.test_batch import Slow
from tests.unit.application.world import World, dumps
from tests.unit.domain.kernel import agent, approval, define, parallel, wait

ONCE = {"attempts": 1}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "size": {"default": 5}},
    "required": ["n"],
}


# --- start ----------------------------------------------------------------------------------------


async def test_a_start_is_committed_before_it_is_answered(world: World) -> None:
    await world.register()
    started = await world.started({"n": 1}, priority=0, labels={"team": "red"}, deadline_s=60)
    state = await world.state(started.workflow_id)
    assert (started.created, started.durability) == (True, "none")
    assert (state.step, state.priority, state.labels) == (1, 0, {"team": "red"})
    assert await world.timers() == ["deadline"]
    assert await world.tasks(started.workflow_id) == {"build/1/1": "queued"}


async def test_starts_with_the_same_key_and_body_are_one_workflow(world: World) -> None:
    await world.register()
    first = await world.started({"n": 1}, key="order-7")
    again = await world.started({"n": 1}, key="order-7")
    assert again.workflow_id == first.workflow_id
    assert (first.created, again.created) == (True, False)
    assert (await world.state(first.workflow_id)).key == "order-7"


@pytest.mark.parametrize(
    "other", [{"value": {"n": 2}}, {"priority": 0}, {"labels": {"a": "b"}}, {"deadline_s": 5}]
)
async def test_the_same_key_with_another_body_is_a_conflict(
    world: World, other: dict[str, Any]
) -> None:
    await world.register()
    await world.start({"n": 1}, key="order-7")
    with pytest.raises(Conflict, match="another body"):
        await world.start(**({"value": {"n": 1}, "key": "order-7"} | other))


async def test_a_newer_version_does_not_make_a_repeated_start_another(world: World) -> None:
    await world.register()
    first = await world.started(key="order-7")
    await world.register(agent("other"), version="2.0.0")
    again = await world.started(key="order-7")
    assert (again.workflow_id, again.created) == (first.workflow_id, False)
    assert (await world.state(first.workflow_id)).version == "1.0.0"


async def test_two_starts_at_once_with_one_key_make_one_workflow(world: World) -> None:
    await world.register()
    both = await asyncio.gather(*(world.started(key="order-7") for _ in range(2)))
    assert sorted(started.created for started in both) == [False, True]


async def test_starts_without_a_key_are_different_workflows(world: World) -> None:
    await world.register()
    assert await world.start() != await world.start()


async def test_an_input_gets_its_defaults_and_must_fit(world: World) -> None:
    await world.register(input=SCHEMA)
    id_ = await world.start({"n": 1})
    assert (await world.stored(id_)).outputs["input"] == b'{"n":1,"size":5}'
    with pytest.raises(ValidationFailed, match='n: "x" is not of type'):
        await world.start({"n": "x"})


async def test_an_input_may_not_look_like_a_reference_to_a_blob(world: World) -> None:
    await world.register(wait("w", signal="s"))
    with pytest.raises(ValidationFailed, match=r"input: the key '\$blob' is reserved"):
        await world.start({"$blob": {"hash": "0" * 64, "bytes": 5}})
    id_ = await world.start()
    with pytest.raises(ValidationFailed, match="data: the key"):
        await world.command(id_, "signal", name="s", data={"$blob": 1})


async def test_a_definition_that_is_not_registered_cannot_be_started(world: World) -> None:
    with pytest.raises(NotFound, match="No definition 'job'"):
        await world.start()


async def test_a_start_that_keeps_losing_races_is_given_up(world: World) -> None:
    class Contended:
        async def commit(self, commits: Sequence[Commit], _now_ms: int) -> list[Verdict]:
            return [Verdict.CONFLICT for _ in commits]

        def __getattr__(self, name: str) -> Any:
            return getattr(world.backend.store, name)

    await world.register()
    with pytest.raises(Conflict, match="kept moving"):
        await world.with_ports(store=Contended()).start(key="order-7")


# --- commands -------------------------------------------------------------------------------------


async def test_each_command_is_logged_as_a_step_with_its_cause(world: World) -> None:
    await world.register(wait("w", signal="s"))
    id_ = await world.start()
    await world.command(id_, "pause", reason="lunch")
    await world.command(id_, "resume")
    reply = await world.command(id_, "signal", name="s", data={"n": 1})
    causes = [decode_step(body).cause for body in await world.backend.store.log(id_)]
    assert causes == [
        "command Start",
        "command PauseWorkflow",
        "command ResumeWorkflow",
        "command Signal",
    ]
    assert (reply.code, reply.detail, reply.durability) == ("accepted", "taken by w", "none")
    assert (await world.stored(id_)).outputs[
        (await world.state(id_)).stages["w"].output or ""
    ] == b'{"n":1}'


async def test_a_command_sent_again_changes_nothing_more(world: World) -> None:
    await world.register()
    id_ = await world.start()
    command_id = world.ids.uuid7()
    replies = [await world.command(id_, "pause", command_id=command_id) for _ in range(2)]
    assert replies[0] == replies[1]
    assert (await world.state(id_)).step == 2


@pytest.mark.parametrize("bad", ["short", "A" * 32, "../" + "0" * 29, "0" * 33])
async def test_a_command_id_must_be_one(world: World, bad: str) -> None:
    await world.register()
    id_ = await world.start()
    with pytest.raises(ValidationFailed, match="command_id: expected 32 hex digits"):
        await world.command(id_, "pause", command_id=bad)


async def test_an_approval_may_go_unnamed_while_it_is_the_only_one(world: World) -> None:
    await world.register(approval("sign"))
    id_ = await world.start()
    reply = await world.command(id_, "approve", reason="fine")
    assert reply.detail == "approved"
    assert b'"comment":"fine"' in (await world.stored(id_)).outputs["sign/1"]


async def test_a_repeated_approval_that_names_no_stage_gets_its_first_answer(world: World) -> None:
    await world.register(approval("sign"))
    id_, command_id = await world.start(), world.ids.uuid7()
    first = await world.command(id_, "approve", command_id=command_id)
    assert await world.command(id_, "approve", command_id=command_id) == first


async def test_one_of_several_approvals_must_be_named(world: World) -> None:
    await world.register(parallel("fan", [approval("one")], [approval("two")]))
    id_ = await world.start()
    with pytest.raises(Refused, match="one, two"):
        await world.command(id_, "approve")
    await world.command(id_, "reject", stage="two", groups=["leads"])
    assert (await world.state(id_)).status == "failed"


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("resume", {}, Refused),
        ("retry", {}, Refused),
        ("approve", {}, Refused),
        ("approve", {"stage": "build"}, Refused),
        ("signal", {}, UsageError),
    ],
)
async def test_what_does_not_apply_is_refused_and_changes_nothing(
    world: World, kind: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    await world.register()
    id_ = await world.start()
    with pytest.raises(error):
        await world.command(id_, kind, **fields)
    assert (await world.state(id_)).step == 1


@pytest.mark.parametrize("kind", ["pause", "cancel", "signal"])
async def test_a_command_after_the_end_is_already_decided(world: World, kind: str) -> None:
    await world.register()
    id_ = await world.start()
    await world.command(id_, "cancel")
    with pytest.raises(AlreadyDecided):
        await world.command(id_, kind, name="s")


@pytest.mark.parametrize("id_", ["p00-" + "0" * 32, "p77-" + "0" * 32, "nonsense"])
async def test_a_command_to_what_does_not_exist_is_not_found(world: World, id_: str) -> None:
    with pytest.raises(NotFound, match="No workflow"):
        await world.command(id_, "pause")


async def test_a_command_that_loses_a_race_is_decided_again(world: World) -> None:
    await world.register(wait("w", signal="s"), agent("check"))
    id_ = await world.start()

    async def faster() -> None:
        await world.command(id_, "signal", name="other")

    other = world.with_ports(store=Slow(world.backend.store, faster))
    await other.command(id_, "signal", name="s")
    state = await world.state(id_)
    assert (state.step, state.active_stages) == (3, ("check",))


async def test_a_command_that_keeps_losing_races_is_given_up(world: World) -> None:
    await world.register()
    id_ = await world.start()

    async def faster() -> None:
        await world.command(id_, "resume" if (await world.state(id_)).paused else "pause")

    other = world.with_ports(store=Slow(world.backend.store, faster, times=999))
    with pytest.raises(Conflict, match="kept moving"):
        await other.command(id_, "signal", name="s")


BIG = dumps({"at": "2025-06-16T00:00:00Z"})
BLOB = BlobRef(hashlib.sha256(BIG).hexdigest(), len(BIG))


async def gated(world: World) -> str:
    """A signal leads to a stage that looks into a big output."""
    until = {"from": "stages.build.output.at"}
    await world.register(agent("build"), wait("gate", signal="s"), wait("nap", until=until))
    id_ = await world.start()
    await world.does("build", blob=BLOB)
    return id_


async def test_a_command_fetches_the_big_output_it_needs(world: World) -> None:
    id_ = await gated(world)
    await world.backend.blobs.put(id_, BIG)
    await world.command(id_, "signal", name="s")
    assert await world.timers() == ["timer/nap/1"]


async def test_a_command_that_needs_a_lost_output_is_refused_with_the_reason(world: World) -> None:
    id_ = await gated(world)
    with pytest.raises(Refused, match="lost its blob"):
        await world.command(id_, "signal", name="s")
    assert (await world.state(id_)).active_stages == ("gate",)


# --- retry and successors -------------------------------------------------------------------------


async def test_what_is_held_is_retried_in_place(world: World) -> None:
    await world.register(agent("build", retry=ONCE, on_failure="hold"))
    id_ = await world.start()
    await world.fails("build")
    await world.apply()
    reply = await world.command(id_, "retry")
    assert reply.workflow_id == id_
    assert await world.tasks(id_) == {"build/1/2": "queued"}


async def ended(world: World) -> str:
    """A workflow that failed in its second stage, after the first gave a big output."""
    await world.register(agent("build"), agent("check", retry=ONCE), priority=1)
    id_ = await world.start({"n": 1}, labels={"a": "b"})
    await world.backend.blobs.put(id_, BIG)
    await world.does("build", blob=BLOB)
    await world.fails("check")
    await world.apply()
    return id_


async def test_a_failed_workflow_is_continued_by_a_successor_from_where_it_failed(
    world: World,
) -> None:
    id_ = await ended(world)
    reply = await world.command(id_, "retry")
    new = await world.state(reply.workflow_id)
    assert reply.detail == f"continues {id_}"
    assert (new.continues, new.priority, new.labels) == (id_, 1, {"a": "b"})
    assert await world.tasks(reply.workflow_id) == {"check/1/1": "queued"}
    assert partition_of(reply.workflow_id) == partition_of(id_)
    assert (await world.state(id_)).status == "failed"


async def test_a_successor_keeps_what_was_finished_beside_what_it_does_itself(
    world: World,
) -> None:
    await world.register(agent("build"), agent("check", retry=ONCE))
    id_ = await world.start()
    await world.does("build", "old build")
    await world.fails("check")
    await world.apply()
    new = (await world.command(id_, "retry", stage="build")).workflow_id
    await world.does("build", "new build")
    world.forget()
    (task,) = await world.claim("check")
    assert b'"input":"new build"' in task.body
    outputs = (await world.stored(new)).outputs
    assert (outputs["carried/build/1"], outputs["build/1"]) == (b'"old build"', b'"new build"')


async def test_outputs_come_along_through_several_successors(world: World) -> None:
    await world.register(agent("build"), agent("check", retry=ONCE))
    id_ = await world.start()
    await world.does("build", "precious")
    for _ in range(3):
        await world.fails("check")
        await world.apply()
        id_ = (await world.command(id_, "retry")).workflow_id
        world.forget()
    (task,) = await world.claim("check")
    assert b'"input":"precious"' in task.body


async def test_a_successor_has_the_blobs_of_its_own(world: World) -> None:
    id_ = await ended(world)
    new = (await world.command(id_, "retry")).workflow_id
    assert await world.backend.blobs.get(new, BLOB.hash) == BIG


async def test_a_successor_fetches_the_big_output_it_begins_with(world: World) -> None:
    until = {"from": "stages.build.output.at"}
    await world.register(agent("build"), wait("nap", until=until), agent("check", retry=ONCE))
    id_ = await world.start()
    await world.backend.blobs.put(id_, BIG)
    await world.does("build", blob=BLOB)
    await world.command(id_, "cancel")
    reply = await world.command(id_, "retry", stage="nap")
    assert (await world.state(reply.workflow_id)).active_stages == ("nap",)


async def test_an_edited_input_starts_over_without_old_outputs(world: World) -> None:
    id_ = await ended(world)
    new = (await world.command(id_, "retry", data={"n": 2})).workflow_id
    stored = await world.stored(new)
    assert stored.outputs == {"input": b'{"n":2}'}
    assert await world.tasks(new) == {"build/1/1": "queued"}


async def test_an_edited_input_may_go_straight_to_a_stage(world: World) -> None:
    id_ = await ended(world)
    new = (await world.command(id_, "retry", data={"n": 2}, stage="check")).workflow_id
    (task,) = await world.claim("check")
    assert b'"input":{"n":2}' in task.body
    assert await world.tasks(new) == {"check/1/1": "leased"}


async def test_a_completed_workflow_is_done_again_from_its_beginning(world: World) -> None:
    await world.register(agent("build"))
    id_ = await world.start({"n": 1})
    await world.does("build")
    new = (await world.command(id_, "retry")).workflow_id
    assert await world.tasks(new) == {"build/1/1": "queued"}
    assert (await world.stored(new)).outputs["input"] == b'{"n":1}'


async def test_a_successor_starts_once_for_each_command(world: World) -> None:
    id_ = await ended(world)
    command_id = world.ids.uuid7()
    first = await world.command(id_, "retry", command_id=command_id)
    assert await world.command(id_, "retry", command_id=command_id) == first
    assert (await world.command(id_, "retry")).workflow_id != first.workflow_id


async def test_a_retry_in_place_that_is_repeated_after_the_end_starts_no_successor(
    world: World,
) -> None:
    await world.register(agent("build", retry=ONCE, on_failure="hold"))
    id_ = await world.start()
    await world.fails("build")
    await world.apply()
    command_id = world.ids.uuid7()
    first = await world.command(id_, "retry", command_id=command_id)
    await world.does("build")
    again = await world.command(id_, "retry", command_id=command_id)
    assert again == first
    assert await world.backend.store.counts() == {"completed": 1}


async def test_a_successor_cannot_start_from_what_is_no_stage(world: World) -> None:
    id_ = await ended(world)
    with pytest.raises(NotFound, match=r"No stage 'nowhere'\. Known: build, check"):
        await world.command(id_, "retry", stage="nowhere")


async def test_a_successor_cannot_start_inside_a_branch(world: World) -> None:
    await world.register(parallel("fan", [agent("a")]))
    id_ = await world.start()
    await world.command(id_, "cancel")
    with pytest.raises(Refused, match="not a stage to start from"):
        await world.command(id_, "retry", stage="a")


# --- definitions ----------------------------------------------------------------------------------


async def test_a_definition_is_registered_with_its_contracts(world: World) -> None:
    contract = Contract(name="build")
    request = RegisterRequest(
        definition=define(agent("build")).model_dump(by_alias=True),
        contracts=[contract.model_dump()],
    )
    view = await world.commands.register(request)
    assert (view.name, view.version, view.contracts_checked) == ("job", "1.0.0", True)
    assert await world.backend.registry.get("contract", contract.hash) is not None


async def test_a_definition_that_is_malformed_is_refused_by_field(world: World) -> None:
    with pytest.raises((DefinitionError, ValidationFailed), match="stages"):
        await world.commands.register(RegisterRequest(definition={"name": "job"}))
    broken = RegisterRequest(definition=define(agent("a")).model_dump(), contracts=[{"name": "A"}])
    with pytest.raises(ValidationFailed, match="name"):
        await world.commands.register(broken)


async def test_the_durability_in_force_is_asked_once(world: World) -> None:
    assert [await world.commands.durability() for _ in range(2)] == ["none", "none"]

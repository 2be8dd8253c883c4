"""Folding a log and holding it against its snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from stagewright.application import replay as subject
from stagewright.application.replay import replay_report, steps
from stagewright.domain.errors import NotFound
from stagewright.domain.events import StepRecord, WorkflowResumed, encode_step
from stagewright.domain.records import but
from stagewright.domain.snapshot import encode_state
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent


async def moved(world: World) -> str:
    """A workflow of a few steps."""
    build = agent("build", **{"with": {"from": "input"}})
    await world.register(build, agent("check", on={"bad": "build"}, max_visits=9))
    id_ = await world.start()
    await world.does("build")
    await world.does("check", outcome="bad")
    return id_


def log_of(world: World, workflow_id: str) -> list[bytes]:
    """The stored log itself, to be tampered with."""
    state: Any = world.backend.store
    found: list[bytes] = state._state.workflows[workflow_id].log
    return found


async def test_a_log_folds_to_its_snapshot(world: World) -> None:
    id_ = await moved(world)
    report = await replay_report(world.backend, id_)
    assert (report.equal, report.steps, report.missing) == (True, 3, [])


async def test_a_long_log_is_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "PAGE", 2)
    id_ = await moved(world)
    assert [step.n async for step in steps(world.backend.store, id_)] == [1, 2, 3]


async def test_a_snapshot_that_says_otherwise_is_shown_with_the_place(world: World) -> None:
    id_ = await moved(world)
    state: Any = world.backend.store
    tampered = encode_state(but(await world.state(id_), priority=0))
    state._state.workflows[id_].snapshot = tampered
    report = await replay_report(world.backend, id_)
    assert not report.equal
    assert report.difference.startswith("byte ")
    assert "priority" in report.difference


async def test_a_log_that_lost_its_end_is_noticed(world: World) -> None:
    id_ = await moved(world)
    log_of(world, id_).pop()
    report = await replay_report(world.backend, id_)
    assert (report.equal, report.steps) == (False, 2)


async def test_a_log_that_lost_a_step_is_noticed(world: World) -> None:
    id_ = await moved(world)
    del log_of(world, id_)[1]
    report = await replay_report(world.backend, id_)
    assert not report.equal
    assert report.difference == "step 3 stands at place 2"


async def test_a_log_that_lost_its_beginning_cannot_be_applied(world: World) -> None:
    id_ = await moved(world)
    log = log_of(world, id_)
    log[0] = encode_step(StepRecord(1, "i", 5, "", (WorkflowResumed("ann"),)))
    report = await replay_report(world.backend, id_)
    assert report.difference.startswith("step 1 cannot be applied: ValueError")


async def test_steps_that_came_while_the_log_was_read_do_not_count(world: World) -> None:
    id_ = await moved(world)
    old = await world.stored(id_)
    await world.does("build")
    new = await world.stored(id_)

    class Before:
        async def load(self, _ids: Any) -> Any:
            return [old]

        def __getattr__(self, name: str) -> Any:
            return getattr(world.backend.store, name)

    assert new.step_id != old.step_id
    report = await replay_report(world.with_ports(store=Before()).backend, id_)
    assert (report.equal, report.steps) == (True, 3)


async def test_what_is_missing_in_flight_is_named(world: World) -> None:
    id_ = await moved(world)
    await world.lose_record(id_)
    report = await replay_report(world.backend, id_)
    assert (report.equal, report.missing) == (True, [f"{id_}/build/2/1"])


async def test_what_is_missing_is_put_back_on_request(world: World) -> None:
    id_ = await moved(world)
    await world.lose_record(id_)
    assert not (await world.commands.replay(id_)).repaired
    assert (await world.commands.replay(id_, repair=True)).repaired
    assert await world.tasks(id_) == {"build/2/1": "queued"}
    assert not (await world.commands.replay(id_, repair=True)).repaired


async def test_a_workflow_that_does_not_exist_cannot_be_replayed(world: World) -> None:
    with pytest.raises(NotFound):
        await replay_report(world.backend, "p00-" + "0" * 32)

"""Runs one seed: storm, calm, and the end of everything; then says what was broken."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from stagewright.adapters.memory import open_backend
from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.application.queries import Queries
from stagewright.application.replay import replay_report
from stagewright.domain.errors import StagewrightError, WorkflowNotFound
from stagewright.domain.workflow import (
    QUARANTINED,
    ApprovalWait,
    Awaiting,
    GroupWait,
    HeldWait,
    SignalWait,
    WorkflowState,
)
from stagewright.ports.backend import BackendOptions
from stagewright.ports.control import CommandReply, CommandRequest, Started
from stagewright.testing.clock import VirtualClock
from stagewright.testing.faults import Crash
from stagewright.testing.loop import Stuck, VirtualLoop, run_virtually
from stagewright.testing.simulation.luck import redriven, storm
from stagewright.testing.simulation.people import Order
from stagewright.testing.simulation.weather import MOST_CALLS
from stagewright.testing.simulation.world import START_MS, World

STILL_S = 150.0
"""No workflow may stand still for so long once the storm is over; every timer is shorter."""
LOOK_EVERY_S = 2.0


@dataclass
class Report:
    """What became of one seed."""

    seed: int
    violations: list[str]
    digest: str
    facts: Counter[str]
    workflows: int
    steps: int
    virtual_s: float
    trace: list[str] = field(default_factory=list)


def simulate(seed: int, *, trace: bool = False) -> Report:
    """Run one seed to its end, in virtual time and from the same beginning."""
    clock = VirtualClock(START_MS)
    world = World(seed, clock)
    with _heard(world):
        try:
            run_virtually(clock, lambda: _run(world))
        except Stuck as stuck:
            world.promises.broken(str(stuck))
    models = world.promises.models
    return Report(
        seed,
        list(world.promises.violations),
        world.records.digest,
        world.records.facts,
        len(models),
        sum(model.state.step for model in models.values() if model.state is not None),
        clock.monotonic_s(),
        world.records.lines() if trace or world.promises.violations else [],
    )


@contextmanager
def _heard(world: World) -> Iterator[None]:
    """Let what the code logs go into the trace, and nowhere else."""

    def hear(_: Any, level: str, line: MutableMapping[str, Any]) -> Any:
        event = line.pop("event")
        if level != "debug":
            world.records.fact(f"log {event}")
        rest = " ".join(f"{key}={value!r}"[:200] for key, value in line.items())
        world.records.tell("", f"  {event} {rest}"[:400])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


async def _run(world: World) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_exception_handler(lambda _, context: _stray(world, context))
    options = BackendOptions(partitions=world.population.partitions)
    async with open_backend(world.url, options, world.clock) as world.backend:
        await world.register()
        world.begin()
        await storm(world)
        calm = await _settled(world)
        if calm:
            await _everything_ends(world)
            await _swept(world)
        await world.supervisor.end()
        if calm:
            await _examine(world)


def _stray(world: World, context: dict[str, Any]) -> None:
    """A task that nobody waited for ended by an error: only a kill may do that.

    What the killed leave behind is collected at any time, and so is no part of a history.
    """
    error = context.get("exception")
    if error is not None and not isinstance(error, Crash):
        world.promises.broken(f"{context['message']}: {error!r}")


# --- calm ----------------------------------------------------------------------------------------


async def _settled(world: World) -> bool:
    """Wait until each workflow has ended or waits for a person; name those that stand still."""
    calm_ms = world.clock.now_ms()
    while True:
        await world.clock.sleep(LOOK_EVERY_S)
        if _spins(world):
            return False
        moving = [
            (id_, max(calm_ms, model.moved_at_ms))
            for id_, model in world.promises.models.items()
            if model.state is not None and not _waits_for_people(model.state)
        ]
        still_ms = world.clock.now_ms() - round(STILL_S * 1_000)
        still = [id_ for id_, moved_ms in moving if moved_ms < still_ms]
        stuck = [id_ for id_ in still if await _stuck(world, id_)]
        if stuck or (calm_ms < still_ms and not world.spoken):
            _tell_stuck(world, stuck)
            return False
        if len(moving) == len(still) and world.spoken:
            return True


async def _left_to_people(world: World, state: WorkflowState) -> set[str | None]:
    """Return the stages whose results are dead letters alone, as the workflow itself says.

    Rare: what kills whoever reads it must also find three owners that die holding its stage.
    """
    if not await world.backend.dead_letters.list(state.workflow_id):
        return set()
    queries = Queries(world.backend, Catalog(world.backend.registry, world.clock), world.clock)
    try:
        waiting = (await queries.show(state.workflow_id)).waiting
    except WorkflowNotFound:  # it was forgotten before it had ended: told elsewhere
        return set()
    return {one.stage for one in waiting if one.owner == "people" and "letter" in one.detail}


async def _stuck(world: World, id_: str) -> bool:
    """Whether something here that stands still is not for people to move."""
    state = world.promises.models[id_].state
    if state is None or state.paused is not None or state.deadline_at_ms is not None:
        return True
    left = await _left_to_people(world, state)
    return not all(stage in left or _of_people(wait) for stage, wait in state.awaiting.items())


def _spins(world: World) -> bool:
    calls = world.storm.calls
    if len(calls) > MOST_CALLS:
        world.promises.broken(f"somebody spins: {Counter(calls[-1_000:]).most_common(3)}")
    return len(calls) > MOST_CALLS


def _waits_for_people(state: WorkflowState) -> bool:
    """Whether nothing goes on here until somebody outside says something."""
    if state.status.terminal or state.paused is not None:
        return state.status.terminal or state.deadline_at_ms is None
    return state.deadline_at_ms is None and all(map(_of_people, state.awaiting.values()))


def _of_people(wait: Awaiting) -> bool:
    if isinstance(wait, ApprovalWait | SignalWait):
        return wait.at_ms is None
    return isinstance(wait, HeldWait | GroupWait)


def _tell_stuck(world: World, stuck: list[str]) -> None:
    for id_ in stuck:
        state = world.promises.models[id_].state
        world.promises.broken(f"{id_} does not move: {state.awaiting if state else None}")
    if not stuck:
        waiting = [order.request for order in world.orders.open]
        world.promises.broken(f"commands were never answered: {waiting}")


async def _everything_ends(world: World) -> None:
    """People give whatever is waited for, until every workflow has ended."""
    catalog = Catalog(world.backend.registry, world.clock)
    backend = world.promises.watched(world.backend)
    people = Commands(backend, catalog, world.clock, world.ids, world.randomness)
    end_ms = world.clock.now_ms() + 2_000_000
    while left := _living(world):
        if _spins(world):
            return
        if world.clock.now_ms() > end_ms:
            _tell_stuck(world, left)
            return
        for id_ in left:
            state = world.promises.models[id_].state
            if state is not None and not state.status.terminal:
                await _give(world, people, state)
        await world.clock.sleep(LOOK_EVERY_S)


def _living(world: World) -> list[str]:
    models = world.promises.models.items()
    return [id_ for id_, one in models if one.state is not None and not one.state.status.terminal]


async def _give(world: World, people: Commands, state: WorkflowState) -> None:
    """Give one workflow what it waits for."""
    if state.paused is not None:
        await _say(people, state, kind="resume")
        return
    if await _left_to_people(world, state):
        world.records.fact("a result was left to people as a dead letter alone")
        await _say(people, state, kind="cancel")
        return
    for stage, wait in sorted(state.awaiting.items()):
        if isinstance(wait, HeldWait):
            await _help(world, people, state, wait)
            return
        if isinstance(wait, SignalWait):
            await _say(people, state, kind="signal", name=wait.signal)
        elif isinstance(wait, ApprovalWait):
            voted = {vote.by for vote in wait.votes}
            by = next(name for name in ("ann", "bob", "cem") if name not in voted)
            await _say(people, state, kind="approve", stage=stage, by=by, groups=("editors",))


async def _help(world: World, people: Commands, state: WorkflowState, held: HeldWait) -> None:
    """What could not be applied is applied by a person; everything else is given up."""
    letters = await world.backend.dead_letters.list(state.workflow_id)
    for letter in letters if held.outcome == QUARANTINED else ():
        if await redriven(world, people, letter.letter_id):
            return
    await _say(people, state, kind="cancel")


async def _say(people: Commands, state: WorkflowState, **words: Any) -> None:
    try:
        await people.command(state.workflow_id, CommandRequest(**words))
    except StagewrightError as error:  # somebody or something else was faster
        logging.getLogger(__name__).debug("%s", error)


# --- the end -------------------------------------------------------------------------------------


async def _examine(world: World) -> None:
    """Look at what is stored, and at what people were told."""
    for id_, model in world.promises.models.items():
        if model.forgotten:
            continue
        report = await replay_report(world.backend, id_)
        if not report.equal or report.missing:
            world.promises.broken(f"{id_}: {report.difference or report.missing}")
    for order in (*world.orders.starts, *world.orders.commands):
        _kept(world, order)


def _kept(world: World, order: Order) -> None:
    """What somebody was told is true, and stays true."""
    said, models = order.said, world.promises.models
    if isinstance(said, Started | CommandReply) and said.workflow_id not in models:
        world.promises.broken(f"{said.workflow_id} was acknowledged and is lost")
    request, kept = order.request, world.promises.took_effect
    if isinstance(said, CommandReply) and not kept(getattr(request, "command_id", None) or ""):
        world.promises.broken(f"{request} was acknowledged and is in no log")
    first = None if order.repeats is None else order.repeats.said
    if isinstance(first, Started | CommandReply) and isinstance(said, Started | CommandReply):
        world.records.fact("the same was said twice")
        if first.workflow_id != said.workflow_id:
            world.promises.broken(f"the same words meant {first} and then {said}")


async def _swept(world: World) -> None:
    """All have ended: soon no message, timer, task or lease may be left."""
    end_ms = world.clock.now_ms() + round(STILL_S * 1_000)
    while (left := await _left(world)) and world.clock.now_ms() < end_ms:
        await world.clock.sleep(LOOK_EVERY_S)
    for what, number in left.items():
        world.promises.broken(f"{number} {what} left behind")


async def _left(world: World) -> dict[str, int]:
    backend, later_ms = world.backend, world.clock.now_ms() + 10**9
    everything = dict.fromkeys(range(backend.partitions), "")
    received = await backend.bus.receive(everything, 100, 0.0, later_ms, 10**6)
    records = await backend.tasks.inspect(list(world.promises.models))
    found = {
        "messages": len(received.messages),
        "timers": len(received.timers),
        "leases": len(received.expired),
        "tasks": sum(map(len, records)),
    }
    return {what: number for what, number in found.items() if number}

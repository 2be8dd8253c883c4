"""What happens to a system from outside while the storm lasts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from stagewright.application.catalog import Catalog
from stagewright.application.commands import Commands
from stagewright.domain.errors import StagewrightError
from stagewright.ports.message_bus import Message, Topic
from stagewright.testing.simulation.world import World

GARBAGE = b'{"specversion": "1.0", "type": "stagewright.STAGE_RESULT", "task": 7}'


async def storm(world: World) -> None:
    """Let things happen for a while; then clocks are right again, and calls are left alone."""
    end_ms = world.clock.now_ms() + round(world.population.storm_s * 1_000)
    weather, chance = world.storm.weather, world.chance
    operators = _operators(world)
    events: tuple[tuple[float, Callable[[], Awaitable[None]]], ...] = (
        (0.1 * bool(weather.jump_s), lambda: _jump(world)),
        (weather.redeliver, lambda: _post(world)),
        (0.1, lambda: _stop(world)),
        (0.15, lambda: _operate(world, operators)),
    )
    while world.clock.now_ms() < end_ms:
        await world.clock.sleep(round(chance.uniform(0.5, 6.0), 3))
        for rate, event in events:
            if chance.random() < rate:
                await event()
    world.storm.over = True
    world.records.tell("STORM", "is over")
    for life in world.supervisor.lives.values():
        life.clock.skew_ms = 0


async def _jump(world: World) -> None:
    """Time goes forward for everybody."""
    jump_s = round(world.chance.uniform(0.0, world.storm.weather.jump_s), 3)
    world.records.fact("time jumped")
    world.records.tell("TIME", f"jumps by {jump_s:g} s")
    world.clock.set_ms(world.clock.now_ms() + round(jump_s * 1_000))


async def _stop(world: World) -> None:
    """A process is told to stop in order, as in a deploy; another one takes its place."""
    name = world.chance.choice(sorted(world.stoppable))
    world.records.fact("a process was told to stop")
    world.records.tell(name, "is told to stop")
    world.stoppable[name]()


async def _post(world: World) -> None:
    """A stranger, or a network that remembers, puts something into an inbox."""
    ids = list(world.promises.models)
    if not ids:
        return
    old = world.promises.some_result(world.chance)
    if old is None or world.chance.random() < 0.3:
        message, fact = Message(world.chance.choice(ids), GARBAGE), "a stranger wrote"
    else:
        message, fact = old, "a result came again, late"
    world.records.fact(fact)
    await world.backend.bus.publish(Topic.INBOX, [message], 0)


def _operators(world: World) -> Commands:
    backend = world.promises.watched(world.backend)
    catalog = Catalog(backend.registry, world.clock)
    return Commands(backend, catalog, world.clock, world.ids, world.randomness)


async def _operate(world: World, operators: Commands) -> None:
    """Somebody looks after things: puts back a dead letter, or what is missing of a workflow."""
    letters = await world.backend.dead_letters.list()
    if letters and world.chance.random() < 0.7:
        await redriven(world, operators, world.chance.choice(letters).letter_id)
    elif ids := [id_ for id_, one in world.promises.models.items() if not one.forgotten]:
        try:
            await operators.replay(world.chance.choice(ids), repair=True)
        except StagewrightError as error:  # it was never created
            world.records.tell("OPERATOR", f"was refused: {error}")


async def redriven(world: World, operators: Commands, letter_id: str) -> bool:
    """Put a dead letter back; whether that was possible."""
    try:
        await operators.redrive(letter_id)
    except StagewrightError as error:
        world.records.tell("OPERATOR", f"was refused: {error}")
        return False
    world.records.fact("a dead letter was redriven")
    return True

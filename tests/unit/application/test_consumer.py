"""Receive, decide, commit, and again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stagewright.application.consumer import CRASHED, Consumer
from stagewright.application.reception import Reception
from stagewright.application.takeover import HOLDS, TRIES, Takeover
from stagewright.domain.errors import Unreachable
from stagewright.domain.ids import partition_of
from stagewright.domain.workflow import HeldWait
from stagewright.ports.health import PortHealth
from tests.unit.application.test_batch import Slow
from tests.unit.application.world import World
from tests.unit.domain.kernel import agent, wait


class Lost:
    """What is to be done about losses."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1


async def consumer(
    world: World, *, batch: int = 256, wait_s: float = 0.0, lost: Lost | None = None
) -> Consumer:
    """The owner of every partition, in a process of its own."""
    world.forget()
    made = Consumer(
        world.backend,
        world.lives,
        world.processor,
        world.clock,
        reception=Reception(world.backend.bus, world.clock, limit=batch, wait_s=wait_s),
        lost=lost or Lost(),
    )
    for partition in range(world.backend.partitions):
        await made.take(partition)
    return made


async def jobs(world: World, number: int) -> list[str]:
    """Workflows whose builds are done and lie in the inbox."""
    await world.register()
    ids = [await world.start() for _ in range(number)]
    for task in await world.claim("build"):
        assert await world.complete(task)
    return ids


async def active(world: World, ids: list[str]) -> set[tuple[str, ...]]:
    return {(await world.state(id_)).active_stages for id_ in ids}


async def test_everything_that_came_is_applied(world: World) -> None:
    ids = await jobs(world, 5)
    await (await consumer(world)).consume()
    assert await active(world, ids) == {("check",)}
    assert await world.inbox() == []


async def test_others_have_their_turn_while_big_messages_are_read(world: World) -> None:
    await world.register()
    id_ = await world.start()
    for _ in range(10):
        await world.publish(id_, b"[" + b"1," * 100_000)
    made, turns = await consumer(world), 0
    consuming = asyncio.ensure_future(made.consume())
    while not consuming.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 10
    assert len(await world.letters()) == 10


async def test_a_batch_is_bounded_and_the_next_goes_on_after_it(world: World) -> None:
    ids = await jobs(world, 5)
    made = await consumer(world, batch=2)
    for left in (3, 1, 0):
        await made.consume()
        assert len(await world.inbox()) == left
    assert await active(world, ids) == {("check",)}


async def test_timers_and_expired_leases_come_along(world: World) -> None:
    await world.register(wait("nap", for_s=5), agent("check", timeout_s=10, retry={"attempts": 1}))
    id_ = await world.start()
    made = await consumer(world)
    await world.clock.advance(5)
    await made.consume()
    await world.claim("check")
    await world.clock.advance(10)
    await made.consume()
    assert (await world.state(id_)).stages["check"].outcome == "timeout"


async def test_a_lost_lease_goes_back_to_its_lane_and_counts(world: World) -> None:
    await world.register(agent("build", timeout_s=500, retry={"attempts": 2, "delay_s": 0}))
    id_ = await world.start()
    made = await consumer(world)
    for lost in (1, 2):
        await world.claim("build")
        await world.clock.advance(30)
        await made.consume()
        assert [(r.state, r.lost) for r in await world.records(id_)] == [("queued", lost)]
    await world.claim("build")
    await world.clock.advance(30)
    await made.consume()
    assert await world.tasks(id_) == {"build/1/2": "queued"}
    assert (await world.state(id_)).stages["build"].errors[0]["type"] == "agent_lost"


async def test_garbage_becomes_a_dead_letter_with_its_reason(world: World) -> None:
    (id_,) = await jobs(world, 1)
    await world.publish(id_, b"garbage")
    await world.publish(id_, b"x" * 300_000)
    await (await consumer(world)).consume()
    assert sorted(reason[:20] for reason in await world.reasons()) == [
        "Envelope rejected at",
        "envelope of 300000 b",
    ]
    assert await active(world, [id_]) == {("check",)}


async def test_after_a_failed_batch_all_that_is_left_is_read_again(world: World) -> None:
    ids = await jobs(world, 3)

    async def gone() -> None:
        raise Unreachable("store")

    made = await consumer(world.with_ports(store=Slow(world.backend.store, gone)))
    with pytest.raises(Unreachable):
        await made.consume()
    await made.consume()
    assert await active(world, ids) == {("check",)}


async def test_without_partitions_it_waits(world: World) -> None:
    made = await consumer(world, wait_s=1.0)
    for partition in range(world.backend.partitions):
        made.give_up(partition)
    assert made.partitions == frozenset()
    async with world.clock.auto():
        before_ms = world.clock.now_ms()
        await made.consume()
    assert world.clock.now_ms() == before_ms + 1_000


async def test_what_stays_due_does_not_keep_it_spinning(world: World) -> None:
    await world.register()
    id_ = await world.start()
    state: Any = world.backend.store
    ghost = id_[:4] + "f" * 32
    state._state.partition_of(ghost).timers.put((ghost, "deadline"), world.clock.now_ms())
    made = await consumer(world, wait_s=1.0)
    async with world.clock.auto():
        before_ms = world.clock.now_ms()
        await made.consume()
    assert world.clock.now_ms() == before_ms + 1_000


# --- what crashes its process ---------------------------------------------------------------------


class Crash(BaseException):
    """The process ends."""


async def crashes(world: World, made: Consumer, on: str) -> None:
    """Consume in a process that dies when it decides on a message that says `on`."""
    processor: Any = world.processor
    real = processor.process

    async def process(work: Any) -> None:
        items = list(work)
        if any(on in str(item.result or item.cause) for item in items):
            raise Crash
        await real(items)

    processor.process = process
    with pytest.raises(Crash):
        await made.consume()


async def poisoned(world: World) -> tuple[str, str]:
    """Two workflows of one partition with results; the first one's is poison."""
    await world.register()
    first = await world.start()
    second = await world.start()
    while partition_of(second) != partition_of(first):
        second = await world.start()
    for task in await world.claim("build"):
        await world.complete(task, "poison" if task.task_id.startswith(first) else "fine")
    return first, second


async def test_a_message_that_crashes_its_owners_is_found_and_its_stage_held(world: World) -> None:
    bad, good = await poisoned(world)
    await crashes(world, await consumer(world), "poison")
    for _ in range(TRIES):
        await crashes(world, await consumer(world), "poison")
    await (await consumer(world)).consume()
    held = (await world.state(bad)).awaiting["build"]
    assert isinstance(held, HeldWait)
    assert held.reason == CRASHED
    assert await world.reasons() == [CRASHED]
    assert await active(world, [good]) == {("check",)}


async def test_neighbours_of_a_crasher_are_applied_by_the_first_careful_owner(world: World) -> None:
    _, good = await poisoned(world)
    await world.publish(good, b"garbage")
    await crashes(world, await consumer(world), "poison")
    await crashes(world, await consumer(world), "poison")
    assert "garbage" not in await world.reasons()
    assert len(await world.letters()) == 1


async def dies_holding(world: World) -> None:
    """An owner dies while it is about to hold a stage."""
    made = await consumer(world)
    processor: Any = world.processor

    async def quarantine(*_: Any) -> None:
        raise Crash

    processor.quarantine = quarantine
    with pytest.raises(Crash):
        await made.consume()


async def test_an_owner_that_dies_holding_a_stage_is_followed_by_one_that_holds_it(
    world: World,
) -> None:
    bad, _ = await poisoned(world)
    for _ in range(TRIES + 1):
        await crashes(world, await consumer(world), "poison")
    for _ in range(HOLDS - 1):
        await dies_holding(world)
    await (await consumer(world)).consume()
    assert isinstance((await world.state(bad)).awaiting["build"], HeldWait)
    assert await world.reasons() == [CRASHED]


async def test_what_crashes_even_its_quarantine_becomes_a_dead_letter(world: World) -> None:
    bad, _ = await poisoned(world)
    for _ in range(TRIES + 1):
        await crashes(world, await consumer(world), "poison")
    for _ in range(HOLDS):
        await dies_holding(world)
    await (await consumer(world)).consume()
    assert await world.reasons() == [CRASHED]
    assert not isinstance((await world.state(bad)).awaiting["build"], HeldWait)


async def one_each(world: World) -> list[Consumer]:
    """The consumers of one process, each with a partition that was left in the midst of a drain."""
    reception = Reception(world.backend.bus, world.clock, limit=256, wait_s=0.0)
    made = []
    for partition in range(world.backend.partitions):
        await Takeover(world.backend.kv, world.clock, partition).begin()
        made.append(
            Consumer(
                world.backend, world.lives, world.processor, world.clock,
                reception=reception, lost=Lost(),
            )
        )  # fmt: skip
        await made[-1].take(partition)
    return made


async def test_what_may_crash_a_process_is_tried_while_it_tries_nothing_else(world: World) -> None:
    ids = await jobs(world, 8)
    assert len({partition_of(id_) for id_ in ids}) > 1
    processor: Any = world.processor
    real, under_way, most = processor.process, set[int](), list[int]()

    async def process(items: Any) -> None:
        if items:
            under_way.add(id(items))
            await asyncio.sleep(0)  # the others could begin here
            most.append(len(under_way))
            await real(items)
            under_way.remove(id(items))

    processor.process = process
    await asyncio.gather(*(made.consume() for made in await one_each(world)))
    assert await active(world, ids) == {("check",)}
    assert most == [1] * len(ids)


async def test_what_was_received_before_a_partition_changed_hands_twice_is_not_left_out(
    world: World,
) -> None:
    ids = [id_ for id_ in await jobs(world, 12) if partition_of(id_) == 0]
    assert len(ids) > 1
    await consumer(world)
    made, processor = await consumer(world), world.processor
    real: Any = processor.process

    async def process(items: Any) -> None:
        if items:  # meanwhile another owns the partition for a while, and ends in peace
            made.give_up(0)
            await Takeover(world.backend.kv, world.clock, 0).end()
            await made.take(0)
        await real(items)

    vars(processor)["process"] = process
    await made.consume()
    await made.consume()
    assert await active(world, ids) == {("check",)}


async def test_a_timer_that_crashes_its_owners_is_found_too(world: World) -> None:
    await world.register(wait("nap", for_s=5))
    id_ = await world.start()
    await world.clock.advance(5)
    for _ in range(TRIES + 1):
        await crashes(world, await consumer(world), "timer/nap")
    await (await consumer(world)).consume()
    assert isinstance((await world.state(id_)).awaiting["nap"], HeldWait)


async def test_an_owner_that_lives_through_failures_of_the_backend_blames_nobody(
    world: World,
) -> None:
    ids = await jobs(world, 1)
    await crashes(world, await consumer(world), "build")

    async def gone() -> None:
        raise Unreachable("store")

    made = await consumer(world.with_ports(store=Slow(world.backend.store, gone, times=10)))
    for _ in range(10):
        with pytest.raises(Unreachable):
            await made.consume()
    await made.consume()
    assert await active(world, ids) == {("check",)}


async def test_an_owner_that_leaves_in_peace_makes_nobody_careful(world: World) -> None:
    await jobs(world, 1)
    await (await consumer(world)).leave()
    made = await consumer(world)
    assert not any(drain.careful for drain in made._drains.values())


async def test_a_drain_ends_with_the_first_batch_that_was_not_full(world: World) -> None:
    await jobs(world, 3)
    made = await consumer(world, batch=2)
    await made.consume()
    await made.consume()
    assert made._drains == {}


# --- losses ---------------------------------------------------------------------------------------


def go_back(world: World, commits: int = 0) -> None:
    """Let every partition count fewer commits, as after a restored backup."""
    state: Any = world.backend.store
    for partition in state._state.partitions:
        partition.commits = commits


async def test_a_counter_that_goes_back_is_reported_and_reconciled(world: World) -> None:
    await jobs(world, 4)
    lost = Lost()
    made = await consumer(world, lost=lost)
    await made.consume()
    await jobs(world, 1)
    go_back(world)
    await made.consume()
    assert lost.times == 1
    losses = (await world.queries.system()).losses
    assert len(losses) == 2
    assert all("commits lost" in loss for loss in losses)


async def test_after_a_loss_the_inbox_is_read_from_its_beginning(world: World) -> None:
    ids = await jobs(world, 1)
    made = await consumer(world)
    await made.consume()
    state: Any = world.backend.store
    inbox = state._state.partition_of(ids[0]).inbox
    before = await jobs(world, 3)
    await made.consume()
    (task,) = [t for t in await world.claim("check") if t.task_id.startswith(ids[0])]
    await world.complete(task)
    ((behind, waiting),) = inbox._messages.items()
    inbox._messages.clear()
    inbox._messages[1] = replace(waiting, position=1)
    inbox._messages[behind] = replace(waiting, arrival=10**6, body=b"garbage", lease=None)
    go_back(world)
    await made.consume()
    await made.consume()
    assert (await world.state(ids[0])).status == "completed"
    assert before


def another_incarnation(world: World) -> None:
    """Let every partition go on from a copy, as after a failover."""
    state: Any = world.backend.store
    state._state.incarnation = "another"


async def test_a_new_owner_notices_what_happened_before_its_time(world: World) -> None:
    await jobs(world, 4)
    await (await consumer(world)).consume()
    another_incarnation(world)
    lost = Lost()
    made = await consumer(world, lost=lost)
    await made.consume()
    await made.consume()
    assert lost.times == 1
    assert len((await world.queries.system()).losses) == 2


async def test_where_every_answer_waited_for_replicas_a_takeover_is_no_loss(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replicated() -> PortHealth:
        return PortHealth(ok=True, durability="replicated")

    lost = Lost()
    made = await consumer(world, lost=lost)
    await made.consume()
    monkeypatch.setattr(world.backend.store, "health", replicated)
    another_incarnation(world)
    await made.consume()
    assert lost.times == 1
    assert (await world.queries.system()).losses == []


async def test_a_loss_that_could_not_be_reported_is_reported_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unreachable("the store")

    made = await consumer(world)
    await made.consume()
    another_incarnation(world)
    with monkeypatch.context() as broken:
        broken.setattr(world.backend.kv, "set", away)
        with pytest.raises(Unreachable):
            await made.consume()
    await made.consume()
    assert len((await world.queries.system()).losses) == 2

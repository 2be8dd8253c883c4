"""Which orchestrator owns which partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from stagewright.application.ownership import Ownership, owners
from stagewright.ports.system import IProcesses
from stagewright.testing.faults import Faults
from tests.unit.application.world import World

PARTITIONS = 8
TTL_S = 10.0


def ownership(
    world: World, holder: str, *, inherit: bool = False, processes: IProcesses | None = None
) -> Ownership:
    return Ownership(
        world.backend.kv, world.clock, holder, PARTITIONS, TTL_S,
        inherit=inherit, processes=processes,
    )  # fmt: skip


@dataclass
class Seen:
    """Processes as one of them sees the others."""

    name: str
    over: set[str]

    def mine(self) -> str:
        return self.name

    def ended(self, process: str) -> bool:
        return process in self.over


async def settled(world: World, *all_: Ownership) -> None:
    """Let everybody renew until nothing moves any more."""
    for _ in range(4):
        for each in all_:
            await each.renew()
        await world.clock.advance(0.01)


async def test_the_only_one_owns_everything(world: World) -> None:
    one = ownership(world, "one")
    assert await one.renew() == frozenset(range(PARTITIONS))
    assert await owners(world.backend.kv, world.clock.now_ms()) == dict.fromkeys(
        range(PARTITIONS), "one"
    )


async def test_those_who_come_get_a_fair_share(world: World) -> None:
    all_ = [ownership(world, name) for name in ("one", "two", "three")]
    await all_[0].renew()
    await settled(world, *all_)
    assert sorted(len(each.owned) for each in all_) == [2, 3, 3]
    assert frozenset().union(*(each.owned for each in all_)) == frozenset(range(PARTITIONS))


async def test_nobody_owns_what_another_does(world: World) -> None:
    one, two = ownership(world, "one"), ownership(world, "two")
    await settled(world, one, two)
    assert one.owned.isdisjoint(two.owned)


async def test_who_leaves_gives_everything_to_the_others_at_once(world: World) -> None:
    one, two = ownership(world, "one"), ownership(world, "two")
    await settled(world, one, two)
    await one.release()
    await world.clock.advance(0.01)
    await two.renew()
    assert (len(one.owned), len(two.owned)) == (0, PARTITIONS)


async def test_who_was_killed_is_followed_when_the_lease_runs_out(world: World) -> None:
    one, two = ownership(world, "one"), ownership(world, "two")
    await settled(world, one, two)
    await world.clock.advance(TTL_S - 1)
    await two.renew()
    assert len(two.owned) == PARTITIONS // 2
    await world.clock.advance(1)
    await two.renew()
    assert len(two.owned) == PARTITIONS


async def test_who_is_seen_to_have_ended_is_followed_at_once(world: World) -> None:
    over: set[str] = set()
    one, two = (ownership(world, name, processes=Seen(name, over)) for name in ("one", "two"))
    await settled(world, one, two)
    over.add("one")
    assert await two.renew() == frozenset(range(PARTITIONS))


async def test_who_is_not_seen_is_followed_when_the_lease_runs_out(world: World) -> None:
    dead = ownership(world, "dead")  # says nothing of the process it was
    two = ownership(world, "two", processes=Seen("two", set()))
    await dead.renew()
    assert await two.renew() == frozenset()
    await world.clock.advance(TTL_S)
    assert await two.renew() == frozenset(range(PARTITIONS))


async def test_who_was_taken_for_ended_and_lives_shares_again(world: World) -> None:
    over = {"one"}
    one, two = (ownership(world, name, processes=Seen(name, over)) for name in ("one", "two"))
    await settled(world, one, two)
    over.clear()
    await settled(world, one, two)
    assert (len(one.owned), len(two.owned)) == (PARTITIONS // 2, PARTITIONS // 2)


async def test_what_another_took_is_given_up(world: World) -> None:
    one, two = ownership(world, "one"), ownership(world, "two")
    await one.renew()
    await world.clock.advance(TTL_S)  # it hangs meanwhile
    await two.renew()
    assert await one.renew() == frozenset()
    assert len(two.owned) == PARTITIONS


async def test_what_was_taken_in_a_call_whose_answer_was_lost_is_owned(world: World) -> None:
    await ownership(world, "one").renew()
    again = ownership(world, "one")
    assert await again.renew() == frozenset(range(PARTITIONS))


async def test_renewing_costs_two_calls(world: World) -> None:
    faults = Faults()
    backend = faults.ports(world.backend, "one")
    one = Ownership(backend.kv, world.clock, "one", PARTITIONS, TTL_S)
    await one.renew()
    calls = len(faults.calls)
    await one.renew()
    assert faults.calls[calls:] == ["one kv.set", "one kv.scan"]


async def test_a_lease_that_ran_out_unnoticed_is_taken_again(world: World) -> None:
    one = ownership(world, "one")
    await one.renew()
    await world.clock.advance(TTL_S)
    assert await one.renew() == frozenset(range(PARTITIONS))


async def test_whoever_is_alone_by_nature_inherits_from_the_dead_at_once(world: World) -> None:
    await ownership(world, "dead").renew()
    heir = ownership(world, "heir", inherit=True)
    assert await heir.renew() == frozenset(range(PARTITIONS))
    assert set((await owners(world.backend.kv, world.clock.now_ms())).values()) == {"heir"}


async def test_an_heir_keeps_no_share_free_for_the_dead(world: World) -> None:
    await ownership(world, "dead").renew()
    heir = ownership(world, "heir", inherit=True)
    await settled(world, heir)
    assert heir.owned == frozenset(range(PARTITIONS))


async def test_an_heir_shares_with_those_who_come_later(world: World) -> None:
    heir, other = ownership(world, "heir", inherit=True), ownership(world, "other")
    await settled(world, heir, other)
    assert (len(heir.owned), len(other.owned)) == (PARTITIONS // 2, PARTITIONS // 2)


@pytest.mark.parametrize("holder", ["a", "b", "c"])
async def test_each_begins_at_a_place_of_its_own(world: World, holder: str) -> None:
    one = ownership(world, holder)
    first = next(iter(one._in_turn()))
    assert first == sum(holder.encode()) % PARTITIONS
    assert sorted(one._in_turn()) == list(range(PARTITIONS))


async def test_leases_are_renewed_well_before_they_run_out(world: World) -> None:
    assert Ownership(world.backend.kv, world.clock, "one", 1, 10.0).renew_s == 5.0


async def test_who_cannot_even_see_itself_takes_its_share_all_the_same(world: World) -> None:
    class Slow:
        """A store whose answers last longer than a sign of life."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.backend.kv, name)

        async def scan(self, prefix: str, now_ms: int) -> Any:
            return await world.backend.kv.scan(prefix, now_ms + 60_000)

    kv: Any = Slow()
    assert await Ownership(kv, world.clock, "one", 2, 10.0).renew() == {0, 1}

"""API keys: what is kept of them, and for how long they are believed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from stagewright.adapters.memory.registry import MemoryRegistry
from stagewright.adapters.memory.state import Namespace
from stagewright.application import keys as module
from stagewright.application.keys import FRESH_S, Keys, fingerprint
from stagewright.domain.errors import LimitExceeded, NotFound
from stagewright.ports.keys import KeyRequest
from stagewright.ports.registry import Entry, Kind
from stagewright.testing.clock import VirtualClock
from stagewright.testing.identifiers import SeededIdentifiers


class CountingRegistry(MemoryRegistry):
    lists = 0

    async def list(self, kind: Kind) -> Sequence[Entry]:
        self.lists += 1
        return await super().list(kind)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def registry() -> CountingRegistry:
    return CountingRegistry(Namespace(1, 60.0))


@pytest.fixture
def keys(registry: CountingRegistry, clock: VirtualClock) -> Keys:
    return Keys(registry, clock, SeededIdentifiers(1, clock))


def other_server(registry: CountingRegistry, clock: VirtualClock) -> Keys:
    return Keys(registry, clock, SeededIdentifiers(2, clock))


def asked(**given: object) -> KeyRequest:
    return KeyRequest.model_validate({"name": "ann", "scopes": ["read"], **given})


async def test_a_key_is_recognised_on_every_server_and_shown_once(
    keys: Keys, registry: CountingRegistry, clock: VirtualClock
) -> None:
    made = await keys.create(asked(scopes=["read", "agent:build"], groups=["editors"]))
    found = await other_server(registry, clock).named(made.secret)
    assert found is not None
    assert found.model_dump() == made.model_dump(exclude={"secret"})
    assert (found.scopes, found.agents) == (("read", "agent"), ("build",))
    assert not hasattr(found, "secret")


async def test_the_store_holds_nothing_that_opens_the_door(
    keys: Keys, registry: CountingRegistry
) -> None:
    made = await keys.create(asked())
    (entry,) = await registry.list("key")
    body = await registry.get("key", entry.hash) or b""
    assert entry.hash == fingerprint(made.secret)
    assert made.secret not in repr(entry)
    assert made.secret.encode() not in body


async def test_two_keys_have_nothing_in_common(keys: Keys) -> None:
    first, second = [await keys.create(asked()) for _ in range(2)]
    assert first.key_id != second.key_id
    assert first.secret != second.secret
    assert len(first.secret) >= len("sw_") + 43


@pytest.mark.parametrize("secret", ["", "sw_", "x" * 46, "sw_" + "x" * 43, "sw_" + "x" * 10_000])
async def test_what_is_no_key_is_nobodys(keys: Keys, secret: str) -> None:
    await keys.create(asked())
    assert await keys.named(secret) is None


async def test_a_key_is_over_at_its_instant(keys: Keys, clock: VirtualClock) -> None:
    made = await keys.create(asked(expires_s=60))
    clock.set_ms(made.created_at_ms + 59_999)
    assert await keys.named(made.secret) is not None
    clock.set_ms(made.created_at_ms + 60_000)
    assert await keys.named(made.secret) is None


async def test_a_revoked_key_is_over_here_at_once_and_elsewhere_within_two_seconds(
    keys: Keys, registry: CountingRegistry, clock: VirtualClock
) -> None:
    elsewhere = other_server(registry, clock)
    made = await keys.create(asked())
    assert await elsewhere.named(made.secret) is not None
    assert (await keys.revoke(made.key_id)).revoked
    assert await keys.named(made.secret) is None
    await clock.advance(FRESH_S)
    assert await elsewhere.named(made.secret) is None
    assert [view.revoked for view in await elsewhere.list()] == [True]


async def test_only_a_key_that_there_is_can_be_revoked(keys: Keys) -> None:
    with pytest.raises(NotFound, match="key list"):
        await keys.revoke("unknown")


async def test_a_key_made_elsewhere_works_a_quarter_of_a_second_later(
    keys: Keys, registry: CountingRegistry, clock: VirtualClock
) -> None:
    elsewhere = other_server(registry, clock)
    assert await elsewhere.named("sw_" + "x" * 43) is None
    made = await keys.create(asked())
    await clock.advance(0.25)
    assert await elsewhere.named(made.secret) is not None


async def test_random_keys_fill_no_memory_and_cause_four_reads_a_second(
    keys: Keys, registry: CountingRegistry, clock: VirtualClock
) -> None:
    made = await keys.create(asked())
    assert await keys.named(made.secret) is not None
    before = registry.lists
    for number in range(1_000):
        assert await keys.named(f"sw_{number:043d}") is None
        await clock.advance(0.001)
    assert registry.lists - before <= 5
    held = [value for value in vars(keys).values() if isinstance(value, dict)]
    assert [len(value) for value in held] == [1, 1]


async def test_a_known_key_costs_one_read_in_two_seconds(
    keys: Keys, registry: CountingRegistry, clock: VirtualClock
) -> None:
    made = await keys.create(asked())
    await keys.named(made.secret)
    before = registry.lists
    for _ in range(100):
        await keys.named(made.secret)
        await clock.advance(0.01)
    assert registry.lists == before


async def test_more_keys_than_are_allowed_are_not_made(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEYS", 1)
    await keys.create(asked())
    with pytest.raises(LimitExceeded, match="number of keys is 2"):
        await keys.create(asked())


async def test_whether_anybody_could_come_in(keys: Keys) -> None:
    assert not await keys.any_in_force()
    made = await keys.create(asked())
    assert await keys.any_in_force()
    await keys.revoke(made.key_id)
    assert not await keys.any_in_force()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"scopes": []}, "at least one scope"),
        ({"scopes": ["agent"]}, "names of agents"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": "read"}, "tuple"),
        ({"name": "a\nb"}, "name"),
        ({"agents": ["a b"]}, "agents"),
        ({"expires_s": 0}, "expires_s"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_by_name(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        asked(**given)

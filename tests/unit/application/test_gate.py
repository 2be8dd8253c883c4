"""Sessions: made from a key, good on every server, and gone with their key."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stagewright.adapters.memory.kv_store import MemoryKVStore
from stagewright.adapters.memory.registry import MemoryRegistry
from stagewright.adapters.memory.state import Namespace
from stagewright.application import gate as module
from stagewright.application.gate import FRESH_S, SESSION_S, SESSIONS_A_MINUTE, Gate, TokenGate
from stagewright.application.keys import Keys
from stagewright.domain.errors import TooOften
from stagewright.ports.keys import KeyRequest, NewKey
from stagewright.testing.clock import VirtualClock
from stagewright.testing.identifiers import SeededIdentifiers


@dataclass
class Site:
    """Two servers of one namespace."""

    clock: VirtualClock
    state: Namespace
    here: Gate
    there: Gate

    async def key(self, **given: object) -> NewKey:
        request = {"name": "ann", "scopes": ("read",), **given}
        return await self.here.keys.create(KeyRequest.model_validate(request))


@pytest.fixture
def site() -> Site:
    clock, state = VirtualClock(), Namespace(1, 60.0)

    def gate(seed: int) -> Gate:
        ids = SeededIdentifiers(seed, clock)
        keys = Keys(MemoryRegistry(state), clock, ids)
        return Gate(keys, MemoryKVStore(state), clock, ids)

    return Site(clock, state, gate(1), gate(2))


async def test_a_session_is_good_on_every_server_and_its_token_nowhere_in_the_store(
    site: Site,
) -> None:
    key = await site.key()
    opened = await site.here.sign_in(key.secret)
    assert opened is not None
    found = await site.there.by_session(opened.token)
    assert found is not None
    assert (found.holder.name, found.expires_at_ms) == ("ann", opened.expires_at_ms)
    stored = repr(site.state.values)
    assert opened.token not in stored
    assert key.secret not in stored


async def test_nobody_signs_in_with_what_is_no_key(site: Site) -> None:
    assert await site.here.sign_in("sw_" + "x" * 43) is None
    assert await site.here.by_session("x" * 43) is None
    assert not site.state.values


async def test_a_session_ends_after_twelve_hours(site: Site) -> None:
    opened = await site.here.sign_in((await site.key()).secret)
    assert opened is not None
    site.clock.set_ms(opened.opened_at_ms + round(SESSION_S * 1000) - 1)
    assert await site.here.by_session(opened.token) is not None
    site.clock.set_ms(opened.opened_at_ms + round(SESSION_S * 1000))
    assert await site.here.by_session(opened.token) is None


async def test_a_session_ends_with_the_life_of_its_key(site: Site) -> None:
    key = await site.key(expires_s=60)
    opened = await site.here.sign_in(key.secret)
    assert opened is not None
    assert opened.expires_at_ms == key.expires_at_ms
    site.clock.set_ms(opened.expires_at_ms)
    assert await site.there.by_session(opened.token) is None


async def test_a_session_dies_with_its_key(site: Site) -> None:
    key = await site.key()
    opened = await site.here.sign_in(key.secret)
    assert opened is not None
    assert await site.there.by_session(opened.token) is not None
    await site.here.keys.revoke(key.key_id)
    assert await site.here.by_session(opened.token) is None
    await site.clock.advance(FRESH_S)
    assert await site.there.by_session(opened.token) is None


async def test_a_session_that_was_ended_is_over_here_at_once_and_soon_elsewhere(
    site: Site,
) -> None:
    opened = await site.here.sign_in((await site.key()).secret)
    assert opened is not None
    for gate in (site.here, site.there):
        assert await gate.by_session(opened.token) is not None
    await site.here.sign_out(opened.token)
    assert await site.here.by_session(opened.token) is None
    await site.clock.advance(FRESH_S)
    assert await site.there.by_session(opened.token) is None


async def test_the_owners_session_dies_with_the_owners_token(site: Site) -> None:
    site.here.admit_owner("owners-token-1")
    opened = await site.here.sign_in("owners-token-1")
    assert opened is not None
    assert opened.holder.scopes == ("admin",)
    assert await site.there.by_session(opened.token) is None
    site.here.admit_owner("owners-token-2")
    assert await site.here.by_session(opened.token) is None
    assert await site.here.by_secret("owners-token-1") is None


async def test_an_empty_token_opens_nothing(site: Site) -> None:
    for gate in (site.here, TokenGate()):
        gate.admit_owner("")
        assert await gate.by_secret("") is None
        assert await gate.by_session("") is None


async def test_tokens_that_are_none_fill_no_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD", 10)
    for number in range(100):
        assert await site.here.by_session(f"{number:043d}") is None
    assert len(site.here._known) == 10


async def test_a_key_cannot_fill_the_store_with_sessions(site: Site) -> None:
    key, other = await site.key(), await site.key()
    for _ in range(SESSIONS_A_MINUTE):
        await site.here.sign_in(key.secret)
    with pytest.raises(TooOften, match="within a minute is 61"):
        await site.here.sign_in(key.secret)
    assert len(site.state.values) == SESSIONS_A_MINUTE
    assert await site.here.sign_in(other.secret) is not None
    await site.clock.advance(60)
    assert await site.here.sign_in(key.secret) is not None

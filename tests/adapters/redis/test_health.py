"""Health names what would survive, as far as the server tells."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from stagewright.adapters.redis import open_backend
from stagewright.adapters.redis.connection import Address
from stagewright.adapters.redis.health import Health
from stagewright.adapters.redis.server import Single
from stagewright.adapters.system.clock import SystemClock
from stagewright.domain.errors import ConfigurationError
from stagewright.ports.backend import BackendOptions
from stagewright.ports.health import PortHealth
from stagewright.testing.clock import VirtualClock
from stagewright.testing.servers import RedisServer, free_port

DEFAULTS = {"appendonly": "no", "appendfsync": "everysec", "save": "", "maxmemory": 0}


@pytest.fixture
async def settings(plain: Redis) -> AsyncIterator[Redis]:
    yield plain
    for name, value in {**DEFAULTS, "maxmemory-policy": "noeviction"}.items():
        await plain.config_set(name, value)


async def health_at(url: str) -> PortHealth:
    server = Single(Address.of(url))
    try:
        return await Health(server, SystemClock()).check()
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("changes", "durability", "detail"),
    [
        ({}, "none", "neither append-only file nor snapshots"),
        ({"save": "60 1000"}, "window", "snapshots only, save 60 1000"),
        ({"appendonly": "yes"}, "window", "appendfsync everysec"),
        ({"appendonly": "yes", "appendfsync": "no"}, "window", "appendfsync no"),
        ({"appendonly": "yes", "appendfsync": "always"}, "process", "synced before every answer"),
    ],
)
async def test_the_class_follows_the_servers_settings(
    settings: Redis, server: RedisServer, changes: dict[str, str], durability: str, detail: str
) -> None:
    for name, value in changes.items():
        await settings.config_set(name, value)
    health = await health_at(server.url)
    assert (health.ok, health.durability) == (True, durability)
    assert detail in health.detail


@pytest.mark.parametrize(
    ("forbidden", "appendonly", "durability", "detail"),
    [
        (["-config"], "yes", "window", "CONFIG is forbidden"),
        (["-config"], "no", "none", "CONFIG is forbidden"),
        (["-config", "-info"], "yes", "none", "and INFO as well"),
    ],
)
async def test_no_more_is_claimed_than_a_guarded_server_tells(
    settings: Redis,
    server: RedisServer,
    forbidden: list[str],
    appendonly: str,
    durability: str,
    detail: str,
) -> None:
    await settings.config_set("appendonly", appendonly)
    rules = ("reset", "on", ">secret", "~*", "&*", "+@all", *forbidden)
    await settings.execute_command("ACL SETUSER", "guest", *rules)
    health = await health_at(server.url.replace("//", "//guest:secret@"))
    assert (health.ok, health.durability) == (True, durability)
    assert detail in health.detail


async def test_a_server_that_does_not_answer_is_not_well() -> None:
    health = await health_at(f"redis://127.0.0.1:{free_port()}/0")
    assert (health.ok, health.durability) == (False, "none")
    assert "Redis does not answer" in health.detail


async def test_a_wrong_password_is_a_matter_of_configuration(
    server: RedisServer, options: BackendOptions, clock: VirtualClock
) -> None:
    url = server.url.replace("//", "//guest:wrong@")
    with pytest.raises(ConfigurationError, match="Check user, password"):
        async with open_backend(url, options, clock):
            pass


async def test_the_url_that_is_shown_has_no_credentials(
    settings: Redis, server: RedisServer, options: BackendOptions, clock: VirtualClock
) -> None:
    await settings.execute_command("ACL SETUSER", "owner", "on", ">secret", "~*", "&*", "+@all")
    url = server.url.replace("//", "//owner:secret@") + "?socket_timeout=2"
    async with open_backend(url, options, clock) as backend:
        assert backend.url == server.url

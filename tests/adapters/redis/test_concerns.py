"""What people should mend about a server is named, with what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from stagewright.adapters.redis.connection import Address, Command
from stagewright.adapters.redis.health import Health
from stagewright.adapters.redis.library import library
from stagewright.adapters.redis.server import Single
from stagewright.adapters.system.clock import SystemClock
from stagewright.ports.health import Concern
from stagewright.testing.servers import RedisServer

OTHER = "stagewright_0badcafe"
LUA = f"#!lua name={OTHER}\nredis.register_function('f_0badcafe', function() return 1 end)"


class Told(Single):
    """A server that says something else than it does to some commands."""

    def __init__(self, url: str, instead: dict[str, Any]) -> None:
        super().__init__(Address.of(url))
        self._instead = instead

    async def call_each(self, commands: Sequence[Command]) -> dict[str, list[Any]]:
        replies = await self.call_all(commands)
        said = [" ".join(map(str, command[:2])) for command in commands]
        told = [self._instead.get(name, reply) for name, reply in zip(said, replies, strict=True)]
        return {"": told}


class Wrong(SystemClock):
    """A clock that is wrong by so many seconds."""

    def __init__(self, by_s: float) -> None:
        self._by_ms = round(by_s * 1_000)

    def now_ms(self) -> int:
        return super().now_ms() + self._by_ms


async def concerns(url: str, wrong_s: float = 0.0, **instead: Any) -> dict[str, Concern]:
    told = {name.replace("_", " "): reply for name, reply in instead.items()}
    server = Told(url, told)
    try:
        health = await Health(server, Wrong(wrong_s)).examine()
    finally:
        await server.close()
    return {concern.check: concern for concern in health.concerns}


@pytest.fixture
async def settings(plain: Redis) -> AsyncIterator[Redis]:
    yield plain
    for name, value in {"maxmemory": 0, "maxmemory-policy": "noeviction"}.items():
        await plain.config_set(name, value)


async def test_a_server_in_order_gives_no_concern(server: RedisServer) -> None:
    assert await concerns(server.url) == {}


async def test_a_policy_that_may_evict_workflows_is_named(
    settings: Redis, server: RedisServer
) -> None:
    await settings.config_set("maxmemory-policy", "allkeys-lru")
    assert await concerns(server.url) == {}
    await settings.config_set("maxmemory", "1gb")
    found = (await concerns(server.url))["memory policy"]
    assert found.serious
    assert "maxmemory-policy allkeys-lru may evict" in found.found
    assert "maxmemory-policy noeviction" in found.remedy


async def test_memory_that_is_nearly_used_up_is_named_in_time(
    settings: Redis, server: RedisServer
) -> None:
    used = (await settings.info("memory"))["used_memory"]
    await settings.config_set("maxmemory", round(used / 0.93))
    found = (await concerns(server.url))["memory"]
    assert not found.serious
    assert "are used" in found.found


OPEN = [b"bind", b"0.0.0.0", b"protected-mode", b"no"]


@pytest.mark.parametrize(
    ("settings", "me", "through"),
    [
        (OPEN, b"laddr=127.0.0.1:6379 ", "it listens on 0.0.0.0"),
        ([b"bind", b"* -::*", b"protected-mode", b"no"], b"laddr=[::1]:6379 ", "listens on * -::*"),
        (ResponseError("NOPERM"), b"laddr=10.1.2.3:6379 ", "we came in through 10.1.2.3"),
    ],
)
async def test_an_empty_password_beyond_loopback_is_named(
    server: RedisServer, settings: Any, me: bytes, through: str
) -> None:
    if isinstance(settings, list):
        settings = [*settings, b"appendonly", b"no", b"save", b""]
    found = (await concerns(server.url, CONFIG_GET=settings, CLIENT_INFO=me))["password"]
    assert found.serious
    assert "needs no password" in found.found
    assert through in found.found
    assert "requirepass" in found.remedy


@pytest.mark.parametrize("protected", [b"yes", b"no"])
async def test_a_server_that_strangers_cannot_enter_is_not(
    server: RedisServer, plain: Redis, protected: bytes
) -> None:
    """Either protected-mode keeps them out, or the default user has a password."""
    told = [b"bind", b"0.0.0.0", b"protected-mode", protected, b"appendonly", b"no", b"save", b""]
    user = await plain.execute_command("ACL GETUSER", "default")
    flags = [b"on"] if protected == b"no" else [b"on", b"nopass"]
    assert isinstance(user, (list, dict))
    reply = [b"flags", flags, b"passwords", []]
    assert "password" not in await concerns(server.url, CONFIG_GET=told, ACL_GETUSER=reply)


async def test_a_version_with_a_defect_that_loses_data_is_named(server: RedisServer) -> None:
    said = "redis_version:{}\r\nused_memory:1\r\nmaxmemory:0\r\n"
    found = (await concerns(server.url, INFO_server=said.format("7.0.4").encode()))["version"]
    assert found.serious
    assert found.remedy == "Update Redis to 7.0.5 or newer."
    assert "version" not in await concerns(server.url, INFO_server=said.format("7.0.5").encode())


@pytest.mark.parametrize(("wrong_s", "serious"), [(3.0, False), (-30.0, True)])
async def test_a_clock_that_is_not_the_servers_is_named(
    server: RedisServer, wrong_s: float, serious: bool
) -> None:
    found = (await concerns(server.url, wrong_s))["clock"]
    assert found.serious == serious
    assert ("ahead of" if wrong_s > 0 else "behind") in found.found


async def test_libraries_of_other_versions_are_named_and_how_to_remove_the_unused(
    server: RedisServer, plain: Redis
) -> None:
    await plain.function_load(LUA)
    try:
        unused = (await concerns(server.url))["functions"]
        await plain.client_setname(OTHER)
        used = (await concerns(server.url))["functions"]
        unsure = (await concerns(server.url, CLIENT_LIST=ResponseError("NOPERM")))["functions"]
    finally:
        await plain.function_delete(OTHER)
        await plain.client_setname("")
    assert unused.found == f"unused libraries of other versions: {OTHER}"
    assert unused.remedy == f"Run `redis-cli FUNCTION DELETE {OTHER}`."
    assert f"{OTHER} (1 connected)" in used.found
    assert "perhaps unused" in unsure.found


async def test_a_connection_carries_the_name_of_its_library(
    server: RedisServer, plain: Redis
) -> None:
    single = Single(Address.of(server.url))
    await single.call_all([("PING",)])
    assert library().name in {one["name"] for one in await plain.client_list()}
    await single.close()


async def test_a_server_that_refuses_writes_says_so(plain: Redis, server: RedisServer) -> None:
    await plain.config_set("min-replicas-to-write", 1)
    try:
        found = (await concerns(server.url))["writes"]
    finally:
        await plain.config_set("min-replicas-to-write", 0)
    assert found.serious
    assert "NOREPLICAS" in found.found

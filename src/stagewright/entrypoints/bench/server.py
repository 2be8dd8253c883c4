"""What the server behind the backend used, where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from stagewright.entrypoints.addresses import REDIS, scheme_of
from stagewright.entrypoints.settings import Settings


class ServerClock:
    """A server's processor time and memory; zero where there is no server."""

    def cpu_s(self) -> float:
        """Return user and system time so far."""
        return 0.0

    def rss_bytes(self) -> dict[str, int]:
        """Return peak resident memory."""
        return {}


class _RedisClock(ServerClock):
    def __init__(self, client: Any) -> None:
        self._client = client

    def cpu_s(self) -> float:
        info = self._client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def rss_bytes(self) -> dict[str, int]:
        return {"redis": int(self._client.info("memory")["used_memory_peak"])}


@asynccontextmanager
async def server_clock(settings: Settings) -> AsyncIterator[ServerClock]:
    """Watch the server of the settings' URL."""
    if scheme_of(settings.url) not in REDIS:
        yield ServerClock()
        return
    import redis

    with redis.Redis.from_url(settings.url) as client:
        yield _RedisClock(client)

"""Whether Redis answers, and what survives there."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import ResponseError

from stagewright.adapters.redis.connection import Client
from stagewright.domain.errors import StagewrightError
from stagewright.ports.health import Durability, PortHealth

_SETTINGS = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy")


class Health:
    """Asks the server each time: people change its settings while it runs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def check(self) -> PortHealth:
        """Return the durability class in force; not ok when the server does not answer."""
        commands = [*(("CONFIG", "GET", name) for name in _SETTINGS), ("INFO", "persistence")]
        try:
            *settings, info = await self._client.call_all(commands)
        except StagewrightError as error:
            return PortHealth(ok=False, durability="none", detail=str(error))
        if any(isinstance(reply, ResponseError) for reply in settings):
            return _from_info(info)
        values = map(_value, settings)
        return _from_settings(dict(zip(_SETTINGS, values, strict=True)))


def _value(reply: list[bytes]) -> str:
    return reply[1].decode() if len(reply) > 1 else ""


def _from_settings(settings: Mapping[str, str]) -> PortHealth:
    durability, detail = _persistence(settings)
    policy = settings["maxmemory-policy"]
    if settings["maxmemory"] not in {"", "0"} and policy != "noeviction":
        detail += f"; maxmemory-policy {policy} may evict workflows: set it to noeviction"
    return PortHealth(ok=True, durability=durability, detail=detail)


def _persistence(settings: Mapping[str, str]) -> tuple[Durability, str]:
    if settings["appendonly"] == "yes":
        sync = settings["appendfsync"]
        if sync == "always":
            return "process", "append-only file, synced before every answer"
        return "window", f"append-only file, appendfsync {sync}"
    if settings["save"]:
        return "window", f"snapshots only, save {settings['save']}"
    return "none", "neither append-only file nor snapshots"


def _from_info(info: object) -> PortHealth:
    """How often the file is synced is not told here, so no more than `window` is claimed."""
    forbidden = "CONFIG is forbidden, so how often it syncs is not known"
    if not isinstance(info, bytes):
        return PortHealth(ok=True, durability="none", detail=f"{forbidden}, and INFO as well")
    if b"aof_enabled:1" in info:
        return PortHealth(ok=True, durability="window", detail=f"append-only file; {forbidden}")
    return PortHealth(ok=True, durability="none", detail=f"no append-only file; {forbidden}")
